import test from 'node:test';
import { conflictsOf, connected, holds, joinedControls } from '../../support/joined-controls.ts';
import { collection, kubernetesWithRules, registry, service } from '../../support/kubernetes-scene.ts';
import { json, written } from '../../support/object-scene.ts';
import { until } from '../../support/until.ts';

test('what Kubernetes holds is shared with peers; neither a restart without it nor a kill -9 withdraws anything, its Registry does', async (t) => {
  const fake = await kubernetesWithRules(t);
  fake.storage.put(collection, service('one'));
  const { east, west } = await joinedControls(t);
  await east.write('registry.yaml', registry(fake));
  for (const control of [east, west]) await holds(control, ['east/kubernetes/prod one']);

  await fake.server.break('reset');
  await until('the loss is seen', async () => (await conflictsOf(east)).some((c) => c.kind === 'ObjectsUnread'));
  await east.kill();
  await east.start();
  await connected(east);
  // What peers are told after the restart holds both, or lacks the first: there is no third.
  const file = await written(east, 'two.yaml', JSON.stringify(service('two')));
  json(await east.cli('apply', '-f', file, '-o', 'json'));
  for (const control of [east, west]) await holds(control, ['east/kubernetes/prod one', 'east/api two']);
  fake.storage.put(collection, service('three'));
  await fake.server.repair();
  for (const control of [east, west]) await holds(control, ['east/kubernetes/prod one', 'east/kubernetes/prod three', 'east/api two']);

  await east.write('registry.yaml', registry(fake, false));
  for (const control of [east, west]) await holds(control, ['east/api two']);
});
