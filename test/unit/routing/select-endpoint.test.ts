import assert from 'node:assert/strict';
import test from 'node:test';
import { selectEndpoint } from '../../../control/routing/index.ts';
import { serviceOf } from '../../support/catalog-view.ts';

const locality = { region: 'eu', zone: 'eu-1', subzone: 'a' };
const labels = { version: 'v1', 'isthmus.dev/runtime': 'a lie' };
const [endpoint] = serviceOf('orders', [{ instance: 'i', cluster: 'west', network: 'w', runtime: 'nomad', labels, locality }]).endpoints;

test('an endpoint is chosen by its labels, by where it runs and who knows it', () => {
  assert.ok(endpoint !== undefined);
  const yes: readonly Readonly<Record<string, string>>[] = [
    {},
    { version: 'v1' },
    { version: 'v1', 'isthmus.dev/runtime': 'nomad' },
    { 'isthmus.dev/cluster': 'west', 'isthmus.dev/network': 'w' },
    { 'isthmus.dev/registry': 'file/test' },
    { 'isthmus.dev/registry': 'file.test' },
    { 'topology.kubernetes.io/region': 'eu', 'topology.kubernetes.io/zone': 'eu-1', 'topology.istio.io/subzone': 'a' },
    { 'topology.istio.io/cluster': 'west', 'topology.istio.io/network': 'w' },
  ];
  for (const wanted of yes) assert.ok(selectEndpoint(wanted, endpoint), JSON.stringify(wanted));
  const no: readonly Readonly<Record<string, string>>[] = [
    { version: 'v2' },
    { 'isthmus.dev/runtime': 'a lie' },
    { constructor: 'x' },
    { version: 'v1', team: '' },
  ];
  for (const wanted of no) assert.ok(!selectEndpoint(wanted, endpoint), JSON.stringify(wanted));
});
