import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildEnvoyBootstrap, type EnvoyBootstrapInput } from '../../../core/xds/envoy/index.ts';
import { core, noClaims, parseNode } from '../../../core/xds/index.ts';
import { assertGolden } from '../../support/golden.ts';

const base: EnvoyBootstrapInput = {
  kind: 'agent',
  identity: { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'web' },
  instance: 'vm-1.envoy',
  network: 'vms',
  locality: 'eu/west/a',
  claims: noClaims,
  cluster: 'east',
  controlAddresses: ['control.east.example.org:15012', '[2001:db8::7]:15012'],
  agentSocket: '/var/lib/isthmus-agent/envoy/xds.sock',
  admin: { address: '127.0.0.1', port: 15_000 },
  listenersFrom: 'control',
  transport: 'delta',
};

interface WireNode {
  readonly id: string;
  readonly metadata: Record<string, unknown>;
  readonly locality: { readonly region: string; readonly zone: string; readonly sub_zone: string };
}

const inputs: Readonly<Record<string, EnvoyBootstrapInput>> = {
  sidecar: {
    ...base,
    claims: {
      inbound: {
        address: '0.0.0.0',
        port: 15_006,
        services: [{ namespace: 'shop', name: 'web', port: 8080, protocol: 'http', address: '127.0.0.1', target: 3000 }],
      },
      outbound: [{ namespace: 'shop', name: 'orders', port: 8080, address: '127.0.0.1', listen: 9001 }],
      http: [],
      anchors: [],
    },
  },
  supervised: {
    ...base,
    labels: { app: 'web' },
    admin: { path: '/var/lib/isthmus-agent/envoy/admin.sock' },
    listenersFrom: 'agent',
    maxConnections: 500,
  },
  gateway: {
    ...base,
    kind: 'gateway',
    identity: { trustDomain: 'mesh.test', namespace: 'isthmus-system', serviceAccount: 'gateway' },
    locality: '',
    claims: { ...noClaims, inbound: { address: '0.0.0.0', port: 15_443, services: [] } },
  },
  ingress: {
    ...base,
    kind: 'ingress',
    transport: 'sotw',
    claims: {
      ...noClaims,
      http: [{ address: '0.0.0.0', listen: 8080, services: [{ namespace: 'shop', name: 'web', port: 8080, hosts: ['shop.example.org'] }] }],
    },
  },
};

for (const [name, input] of Object.entries(inputs)) {
  test(`the bootstrap of a ${name}`, async () => {
    await assertGolden(`test/golden/envoy/bootstrap-${name}.golden.json`, buildEnvoyBootstrap(input));
  });

  test(`what a ${name} says of itself is what the control plane reads`, () => {
    const { node } = JSON.parse(JSON.stringify(buildEnvoyBootstrap(input))) as { node: WireNode };
    const { region, zone, sub_zone: subZone } = node.locality;
    const parsed = parseNode(core.Node.create({ id: node.id, metadata: node.metadata, locality: { region, zone, subZone } }));
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const { kind, identity, instance, network, locality, labels = {}, claims } = input;
    assert.deepEqual({ ...parsed.value }, { dialect: 'envoy', kind, identity, instance, network, locality, labels, claims, version: '' });
  });
}

test('nothing in a bootstrap is a key or a certificate', () => {
  for (const input of Object.values(inputs)) assert.doesNotMatch(JSON.stringify(buildEnvoyBootstrap(input)), /-----BEGIN|inline/);
});
