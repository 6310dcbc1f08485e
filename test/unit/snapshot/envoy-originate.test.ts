import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSnapshotBuilder, DialectResources, envoyDialect } from '../../../control/snapshot/index.ts';
import { Listener } from '../../../core/xds/envoy/index.ts';
import { envoyTypeUrls, noClaims } from '../../../core/xds/index.ts';
import { gatewayOf, inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { clientOf } from '../../support/client-class.ts';

test("callers without a sidecar are taken at the gateway's own address for them, not where other networks come in", () => {
  const far = serviceOf('far', [{ instance: 'f', cluster: 'west', network: 'b' }]);
  const view = viewOf([far], [gatewayOf('b', 'west', ['192.0.2.1'])]);
  const builder = createSnapshotBuilder();
  const source = new DialectResources(builder, [envoyDialect]);
  builder.update(inputsOf(view, { gatewayPorts: [{ service: far.key, port: 8080, gatewayPort: 16_007 }], originateCidrs: ['10.0.0.0/8'] }));
  source.publish();
  const boundTo = (originate?: string) => {
    const claims = { ...noClaims, inbound: { address: '192.0.2.9', port: 15_443, services: [], originate } };
    const set = source.view(clientOf({ dialect: 'envoy', kind: 'gateway', network: 'a', claims })).current();
    const listeners = [...(set?.get(envoyTypeUrls.listener)?.values() ?? [])].map((r) => Listener.decode(r.value));
    const [found] = listeners
      .flatMap((l) => (l.address?.address?.$case === 'socketAddress' ? [l.address.address.value] : []))
      .filter((a) => a.portSpecifier?.$case === 'portValue' && a.portSpecifier.value === 16_007);
    return found?.address;
  };
  assert.equal(boundTo('127.0.0.2'), '127.0.0.2');
  assert.equal(boundTo(), '192.0.2.9');
});
