import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordMetrics } from '../../../control/assemble/metrics.ts';
import { createMetrics } from '../../../control/telemetry/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { meshClient, resource, XdsPlane } from '../../support/xds-plane.ts';

test('what clients stay without is counted, by whether they refused it or it could not be encoded, and no longer when it is mended', async (t) => {
  const pki = new MeshPki('mesh.test');
  const plane = await new XdsPlane(pki).start();
  onEnd(t, () => plane.stop());
  const metrics = createMetrics({ cluster: 'east' });
  const counted = async () => {
    const clients = plane.xds.clients();
    recordMetrics(metrics, { sources: [], peers: [], clients, trust: pki.bundle, drift: [], instances: [], mtls: { ports: [] } });
    const { values } = await metrics.xdsRefused.get();
    return Object.fromEntries(values.map(({ labels, value }) => [`${labels.type} ${labels.cause}`, value]));
  };
  const { client, stop } = meshClient(pki, [`127.0.0.1:${plane.front.port}`], {
    onUpdate: ({ changed }) => changed.flatMap(({ name, version }) => (version === 'odd' ? [{ name, reason: 'port 0 is no port' }] : [])),
  });
  onEnd(t, stop);
  const broken = {
    name: 'b',
    version: '2',
    get value(): Uint8Array {
      throw new RangeError('1.5 is no BigInt');
    },
  };
  plane.source.set({ t: [resource('a', '1'), broken, resource('c', 'odd')] });
  client.subscribe('t', '*');
  await until('the refusal', () => plane.xds.clients()[0]?.types[0]?.refused.length === 2);
  assert.deepEqual(await counted(), { 't client': 1, 't encoding': 1 });
  plane.source.set({ t: [resource('a', '1'), resource('b', '3'), resource('c', '2')] });
  await until('what is mended', () => client.resources('t').size === 3);
  await until('the answers', () => plane.xds.clients()[0]?.current);
  assert.deepEqual(await counted(), {});
});
