import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { parseConfig } from '../../../control/config/index.ts';
import type { ConfigObject, TrafficObject } from '../../../core/config/index.ts';
import { repositoryRoot } from '../../support/repository-root.ts';
import { codes, leads, meshService, modelOf, routingOf } from '../../support/traffic-model.ts';
import { gateway } from '../../support/traffic-objects.ts';

const mesh =
  'apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {cluster: east, trustDomain: mesh.test, stateDir: /s}\n';
const folder = join(repositoryRoot, 'test/samples/istio');
const isTraffic = (object: ConfigObject): object is TrafficObject => 'scope' in object;

/** As people apply them: of the samples for one host one at a time. */
async function samples(...names: readonly string[]): Promise<readonly TrafficObject[]> {
  const files = (await readdir(folder)).sort();
  const texts = await Promise.all(files.map(async (file) => ({ file, text: await readFile(join(folder, file), 'utf8') })));
  const each = texts.flatMap((text) => {
    const parsed = parseConfig([{ file: 'mesh.yaml', text: mesh }, text]);
    assert.ok(parsed.ok);
    return parsed.value.objects.filter(isTraffic);
  });
  const chosen = each.filter((object) => names.includes(`${object.kind}/${object.name}`));
  assert.equal(chosen.length, names.length);
  return chosen;
}

const versions = (...list: readonly string[]) => list.map((version) => ({ instance: version, labels: { version } }));
const services = [
  meshService('default/productpage', { 9080: 'http' }, versions('v1')),
  meshService('default/reviews', { 9080: 'http' }, versions('v1', 'v2', 'v3')),
  meshService('default/ratings', { 9080: 'http' }, versions('v1', 'v2-mysql', 'v2-mysql-vm')),
  meshService('default/mysqldb', { 3306: 'tcp' }),
  meshService('default/tcp-echo', { 9000: 'tcp' }, versions('v1', 'v2')),
  meshService('default/httpbin', { 8000: 'http' }, versions('v1', 'v2')),
];
const cluster = (name: string, subset: string) => `outbound|9080|${subset}|${name}.default.mesh.internal`;

test("bookinfo's rules lead where they say", async () => {
  const one = modelOf(
    await samples(
      'VirtualService/reviews-of-one-user',
      'DestinationRule/reviews',
      'VirtualService/ratings-slow',
      'DestinationRule/ratings',
    ),
    services,
  );
  assert.deepEqual(
    leads(routingOf(one, 'default/reviews', 9080))?.map(([, to]) => to),
    [cluster('reviews', 'v2'), cluster('reviews', 'v1')],
  );
  assert.equal(routingOf(one, 'default/ratings', 9080)?.virtualHosts[0]?.rules[0]?.fault?.delay?.ms, 7_000);
  assert.deepEqual(
    codes(one).filter((c) => !c.startsWith('unused-subset')),
    [],
  );
  const half = modelOf(await samples('VirtualService/reviews-half', 'DestinationRule/reviews'), services);
  assert.deepEqual(
    leads(routingOf(half, 'default/reviews', 9080))?.[0]?.[1],
    `${cluster('reviews', 'v1')} 50 + ${cluster('reviews', 'v3')} 50`,
  );
  const balanced = modelOf(await samples('DestinationRule/reviews-balanced'), services).service('default/reviews' as never);
  assert.equal(balanced?.policies.get(9080)?.traffic?.loadBalancer?.type, 'random');
  assert.deepEqual(
    balanced?.subsets.map((s) => s.policies.get(9080)?.traffic?.loadBalancer?.type),
    ['random', 'round-robin'],
  );
  const database = modelOf(await samples('VirtualService/ratings-database'), services);
  assert.deepEqual(
    routingOf(database, 'default/mysqldb', 3306)?.l4.map((r) => r.destinations[0]?.destination.cluster),
    ['outbound|3306||mysqldb.default.mesh.internal'],
  );
});

test('a mirror, and shares of connections behind a gateway', async () => {
  const mirrored = modelOf(await samples('VirtualService/httpbin-mirror', 'DestinationRule/httpbin-versions'), services);
  const action = routingOf(mirrored, 'default/httpbin', 8000)?.virtualHosts[0]?.rules[0]?.action;
  assert.deepEqual(action?.type === 'route' && action.mirrors, [
    { destination: { cluster: 'outbound|8000|v2|httpbin.default.mesh.internal' }, percent: 100 },
  ]);
  const echo = await samples('VirtualService/tcp-echo', 'DestinationRule/tcp-echo');
  const model = modelOf([...echo, gateway('default/tcp-echo-gateway', [{ port: 31_400, protocol: 'tcp' }])], services);
  const compiled = model.gateways.get('default/tcp-echo-gateway');
  assert.deepEqual(
    compiled?.routings
      .get('ingress|31400|default/tcp-echo-gateway/0')
      ?.l4.map((r) => r.destinations.map((d) => [d.destination.cluster, d.weight])),
    [
      [
        ['outbound|9000|v1|tcp-echo.default.mesh.internal', 80],
        ['outbound|9000|v2|tcp-echo.default.mesh.internal', 20],
      ],
    ],
  );
  assert.deepEqual(codes(model), []);
});
