import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DataPlaneState, emptyState } from '../../../gateway/index.ts';
import { answerQuery } from '../../../sidecar-vm/dns/answer-query.ts';
import { inboundServices, meshSuffixes, meshZones, outboundServices } from '../../../sidecar-vm/mesh/describe-mesh.ts';
import { allocateAddresses, emptyAddressTable, planListeners } from '../../../sidecar-vm/redirect/index.ts';

const label = fc.constantFrom('a', 'b', 'orders', 'shop', 'x-1');
const service = fc.record({
  name: label,
  namespace: label,
  suffix: fc.constantFrom('mesh.internal', 'mesh.corp.example'),
  ports: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
});
const mesh = fc.uniqueArray(service, { maxLength: 12, selector: (s) => `${s.name}.${s.namespace}` });

type Service = typeof service extends fc.Arbitrary<infer T> ? T : never;

function stateOf(services: readonly Service[]): Pick<DataPlaneState, 'listeners' | 'bundles'> {
  const entries = services.map(({ name, namespace, suffix, ports }) => {
    const host = `${name}.${namespace}.${suffix}`;
    const hosts = [host, `${name}.${namespace}.svc.clusterset.local`];
    const listed = ports.map((port) => ({ port, name: `p${port}`, protocol: 'http' as const, clusterName: `outbound|${port}||${host}` }));
    return [host, { kind: 'service' as const, name: host, namespace, service: name, hosts, ports: listed }] as const;
  });
  return { listeners: new Map(entries), bundles: new Map() };
}

const policy = fc.record({
  reserved: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
  loopbackAddresses: fc.boolean(),
  explicit: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
});

test('whatever the mesh: no reserved port is bound, each service port is bound or reported, no two listeners meet, names lead to them', () => {
  fc.assert(
    fc.property(mesh, policy, (services, { reserved, loopbackAddresses, explicit }) => {
      const state = stateOf(services);
      const described = outboundServices(state);
      const { table } = allocateAddresses(emptyAddressTable, loopbackAddresses ? described.map((s) => s.hosts[0]) : [], 0);
      const first = described[0];
      const chosen = new Map(first === undefined ? [] : explicit.map((port) => [`${first.hosts[0]}:${port}`, 20_000 + port] as const));
      const plan = planListeners(described, table, { reserved: new Set(reserved), explicit: chosen, loopbackAddresses });
      const binds = plan.listeners.map((l) => `${l.address}:${l.port}`);
      assert.equal(new Set(binds).size, binds.length);
      for (const l of plan.listeners) if (l.address !== '127.0.0.1') assert.equal(reserved.includes(l.port), false);
      const zones = meshZones(described, table, meshSuffixes(state), chosen);
      for (const { hosts, ports } of described) {
        const address = table.assigned.get(hosts[0]);
        for (const { port } of ports) {
          const bound = plan.listeners.some((l) => l.host === hosts[0] && l.address === address && l.port === port);
          const reported = plan.taken.some((each) => each.host === hosts[0] && each.port === port);
          assert.equal(bound !== reported, loopbackAddresses, `${hosts[0]}:${port}`);
        }
        for (const name of hosts) {
          const verdict = answerQuery({ type: 'query', id: 1, questions: [{ type: 'A', name: name.toUpperCase(), class: 'IN' }] }, zones);
          assert.equal(verdict.kind, 'answer', 'every name of the mesh is the agent’s to answer');
          const listening = plan.listeners.filter((l) => l.host === hosts[0]).map((l) => l.address);
          const answers = verdict.kind === 'answer' ? (verdict.packet.answers ?? []).map((a) => ('data' in a ? a.data : '')) : [];
          if (loopbackAddresses) assert.deepEqual(answers, [address]);
          else assert.deepEqual(answers, listening.length > 0 ? ['127.0.0.1'] : []);
        }
      }
    }),
  );
});

test('what callers may dial for a service of this machine, its mTLS end answers: every host that the mesh names, and the usual ones before', () => {
  fc.assert(
    fc.property(mesh, (services) => {
      const state = stateOf(services);
      const own = services.map(({ name, namespace }) => ({
        namespace,
        name,
        port: 80,
        protocol: 'http' as const,
        appAddress: '127.0.0.1',
        appPort: 1,
      }));
      const health = { probe: { kind: 'tcp' as const }, intervalMs: 1, timeoutMs: 1, healthy: 1, unhealthy: 1 };
      const options = own.map((each) => ({ ...each, health }));
      for (const each of inboundServices(options, state)) {
        const known = [...state.listeners.values()].flatMap((l) =>
          l.kind === 'service' && l.namespace === each.namespace && l.service === each.service ? l.hosts : [],
        );
        for (const host of known) assert.ok(each.hosts.includes(host));
      }
      for (const each of inboundServices(options, emptyState)) {
        assert.deepEqual([...each.hosts].sort(), [
          `${each.service}.${each.namespace}.mesh.internal`,
          `${each.service}.${each.namespace}.svc.clusterset.local`,
        ]);
      }
    }),
  );
});
