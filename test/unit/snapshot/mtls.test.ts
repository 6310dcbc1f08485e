import assert from 'node:assert/strict';
import test from 'node:test';
import { callerPolicies, peerAuthentications } from '../../../control/policy/index.ts';
import { createSnapshotBuilder, explain, nativeDialect, type SnapshotInputs } from '../../../control/snapshot/index.ts';
import { type MtlsMode, mtlsModeOf } from '../../../core/authz/index.ts';
import type { PeerAuthenticationObject } from '../../../core/config/index.ts';
import { networkId } from '../../../core/model/index.ts';
import { native } from '../../../core/xds/index.ts';
import { checkAuthz } from '../../../core/xds/validate-authz.ts';
import { authzOf } from '../../../gateway/state/convert-authz.ts';
import { gatewayOf, inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

const door = { http: { address: '10.0.0.1', port: 8080 } };
const orders = serviceOf('orders', [
  { instance: 'open', plain: door },
  { instance: 'closed', address: '10.0.0.2' },
]);
const web = serviceOf('web', [{ instance: 'w' }]);
const gateways = [gatewayOf('a', 'east', ['192.0.2.9'])];
const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });

function inputs(mode: MtlsMode | undefined, services = [orders, web]): SnapshotInputs {
  const object: PeerAuthenticationObject = {
    ...{ kind: 'PeerAuthentication', name: 'orders', namespace: 'shop' },
    spec: { selector: {}, ports: [], createdAt: 0, ...(mode === undefined ? {} : { mode }) },
  };
  return inputsOf(viewOf(services, gateways), { policies: [...base, peerAuthentications(mode === undefined ? [] : [object])] });
}

function calledAt(mode: MtlsMode | undefined, network: string, services?: (typeof orders)[]): string[] {
  const builder = createSnapshotBuilder();
  builder.update(inputs(mode, services));
  const { resources } = builder.snapshot({ kind: 'agent', network: networkId(network) });
  const endpoints = resources.endpoints.get('outbound|8080||orders.shop.mesh.internal')?.value.endpoints ?? [];
  return endpoints.map((e) => `${e.address}:${e.port} ${e.tls === undefined ? 'plaintext' : 'mTLS'}`).sort();
}

const byMtls = ['10.0.0.1:9090 mTLS', '10.0.0.2:9090 mTLS'];

test('callers speak plaintext where mTLS is disabled and there is a listener for it, and nowhere else', () => {
  assert.deepEqual(calledAt(undefined, 'a'), byMtls);
  assert.deepEqual(calledAt('strict', 'a'), byMtls);
  assert.deepEqual(calledAt('permissive', 'a'), byMtls, 'never downgraded');
  assert.deepEqual(calledAt('disable', 'a'), ['10.0.0.1:8080 plaintext', '10.0.0.2:9090 mTLS']);
  assert.deepEqual(calledAt('disable', 'b'), ['192.0.2.9:15443 mTLS'], 'nothing crosses networks in the clear');
});

test('what a peer says of its endpoints leads nobody into the clear', () => {
  const theirs = serviceOf('orders', [{ instance: 'p', cluster: 'west', plain: door }]);
  assert.deepEqual(calledAt('disable', 'a', [theirs]), ['10.0.0.1:9090 mTLS']);
});

test('a change of mode is told to callers and to ends, of no other service', () => {
  const builder = createSnapshotBuilder();
  builder.update(inputs('permissive'));
  const before = builder.snapshot({ kind: 'agent', network: networkId('a') });
  builder.update(inputs('disable', [orders]), new Set());
  const after = builder.snapshot({ kind: 'agent', network: networkId('a') });
  const name = 'outbound|8080||orders.shop.mesh.internal';
  assert.notEqual(before.resources.endpoints.get(name)?.version, after.resources.endpoints.get(name)?.version);
  assert.notEqual(before.resources.authz.get(orders.key)?.version, after.resources.authz.get(orders.key)?.version);
});

/** As agents get it. */
function sent(mode: MtlsMode | undefined): native.Authz {
  const builder = createSnapshotBuilder();
  builder.update(inputs(mode));
  const sealed = builder.snapshot({ kind: 'agent', network: networkId('a') }).resources.authz.get(orders.key);
  assert.ok(sealed);
  const [resource] = nativeDialect.translate(orders.key, [sealed], { logging: undefined } as never);
  assert.ok(resource);
  return native.Authz.decode(resource.value);
}

for (const mode of ['permissive', 'disable', 'strict', undefined] as const) {
  test(`the wire says ${mode ?? 'nothing'}, and what is not known of it lets nobody in`, () => {
    const message = sent(mode);
    assert.deepEqual(checkAuthz(message), []);
    assert.equal(mtlsModeOf(authzOf(message).mtls, 8080), mode ?? 'strict');
    assert.equal(mtlsModeOf(authzOf(message).mtls, 8081), 'strict');
    // An older reader skips it, and what it opens is a rule that it lets nobody in by.
    const { rules, conditionalRules } = message;
    assert.equal(rules.length, 1);
    assert.equal(conditionalRules.length, mode === 'permissive' || mode === 'disable' ? 1 : 0);
    const newer = native.Authz.fromPartial({ ...message, mtls: { ports: [{ port: 8080, mode: 9 as native.PortMtls_Mode }] } });
    assert.deepEqual(checkAuthz(newer), []);
    assert.equal(mtlsModeOf(authzOf(newer).mtls, 8080), 'strict');
  });
}

test('ports on the wire are ports, each once; 0 is all others', () => {
  const message = (...ports: number[]) =>
    native.Authz.fromPartial({
      name: 'shop/orders',
      mtls: { ports: ports.map((port) => ({ port, mode: native.PortMtls_Mode.PERMISSIVE })) },
    });
  assert.deepEqual(checkAuthz(message(0, 80)), []);
  assert.deepEqual(
    checkAuthz(message(80, 80, 70_000)).map(({ path, message: said }) => `${path} ${said}`),
    ['mtls.ports[1].port is there twice', 'mtls.ports[2].port must be 1-65535, or 0 for all others'],
  );
  const { mtls } = authzOf(message(0));
  assert.equal(mtlsModeOf(mtls, 12_345), 'permissive');
});

function told(mode: MtlsMode | undefined, services = [orders, web]): string {
  const steps = explain(inputs(mode, services), 'shop/web', 'shop/orders').steps.filter(
    ({ stage }) => stage === 'mtls' || stage === 'rule',
  );
  return steps.map(({ stage, outcome, text, details }) => `${stage} ${outcome}: ${text} [${details.join('; ')}]`).join('\n');
}

test('explain says what the port takes, which PeerAuthentication decided, and who judges whom', () => {
  assert.match(
    told(undefined),
    /mtls ok: port 8080 takes mTLS alone \(STRICT\) \[no PeerAuthentication says otherwise: the mesh's default/,
  );
  assert.match(told('strict'), /mtls ok: .*STRICT\) \[PeerAuthentication shop\/orders decided; open exposes 10\.0\.0\.1:8080\]/);
  assert.match(told('permissive'), /takes plaintext beside mTLS \(PERMISSIVE\)[\s\S]*rule ok: allowed by "cluster east"/);
  const closed = serviceOf('orders', [{ instance: 'closed' }]);
  assert.match(told('permissive', [closed, web]), /mtls warning: .*no instance has a plain listener: mTLS alone comes in/);
  const open = serviceOf('orders', [{ instance: 'open', plain: door }]);
  assert.match(told('disable', [open, web]), /\(DISABLE\)[\s\S]*rule ok: allowed by "plaintext by PeerAuthentication shop\/orders"/);
  const bare = serviceOf('orders', [{ instance: 'b', tlsMode: 'none' }]);
  assert.match(told('strict', [bare, web]), /mtls ok: its endpoints have no sidecar.*a gateway in front of them takes mTLS always/);
});
