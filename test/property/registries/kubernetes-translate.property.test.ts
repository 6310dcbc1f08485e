import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { MeshError } from '../../../core/errors.ts';
import { projectNode, projectPod, projectService, projectSlice } from '../../../registries/kubernetes/objects.ts';
import { translateService } from '../../../registries/kubernetes/translate.ts';
import { parseWatchLine } from '../../../registries/kubernetes/watch-stream.ts';
import { rulesWith } from '../../unit/registry/records.ts';

const text = fc.oneof(fc.string(), fc.constantFrom('', 'http', 'grpc-web', 'p-1', 'IPv4', '10.0.0.1', 'fd00::1', '__proto__'));
const port = fc.record(
  { name: text, port: fc.oneof(fc.integer(), fc.constantFrom(80, 443)), protocol: fc.constantFrom('TCP', 'UDP'), appProtocol: text },
  { requiredKeys: [] },
);
const labels = fc.dictionary(text, text);
const conditions = fc.record(
  { ready: fc.option(fc.boolean()), serving: fc.option(fc.boolean()), terminating: fc.boolean() },
  { requiredKeys: [] },
);
const endpoint = fc.record(
  {
    addresses: fc.array(text),
    conditions,
    targetRef: fc.constantFrom({ kind: 'Pod', name: 'p-1' }, { kind: 'Pod', name: 'p-2' }, null),
    nodeName: fc.constantFrom('n-1', 'n-2'),
    zone: text,
  },
  { requiredKeys: [] },
);
const service = fc.record({
  metadata: fc.record({ name: fc.constantFrom('web', 'web-mesh'), namespace: fc.constant('shop'), labels, creationTimestamp: text }),
  spec: fc.record({ type: text, ipFamilies: fc.array(text), ports: fc.option(fc.array(port)) }, { requiredKeys: [] }),
});
const slice = fc.record({
  metadata: fc.record({ name: text, namespace: fc.constant('shop'), labels: fc.constant({ 'kubernetes.io/service-name': 'web' }) }),
  addressType: fc.constantFrom('IPv4', 'IPv6', 'FQDN'),
  ports: fc.option(fc.array(port)),
  endpoints: fc.option(fc.array(endpoint)),
});
const pod = projectPod({ metadata: { name: 'p-1', namespace: 'shop', labels: { a: 'b' } }, spec: { serviceAccountName: 'sa' } });
const node = projectNode({ metadata: { name: 'n-1', labels: { 'topology.kubernetes.io/region': 'r' } } });

test('whatever the API server says, what comes out is a valid service, in whatever order it was learnt', () => {
  fc.assert(
    fc.property(
      service,
      fc.uniqueArray(slice, { selector: (s) => s.metadata.name }),
      fc.constantFrom('mesh', 'none'),
      (rawService, rawSlices, tlsMode) => {
        const projected = projectService(rawService);
        assert.ok(projected !== undefined);
        const slices = rawSlices.flatMap((raw) => projectSlice(raw) ?? []);
        const find = {
          pod: (name: string) => (name === 'p-1' ? pod : undefined),
          node: (name: string) => (name === 'n-1' ? node : undefined),
        };
        const rules = rulesWith({ tlsMode });
        const translation = translateService({ service: projected, slices, ...find }, rules);
        assert.deepEqual(translateService({ service: projected, slices: [...slices].reverse(), ...find }, rules), translation);
        if (translation.kind === 'skipped') return assert.notEqual(translation.reason, '');
        const { record } = translation.part;
        const ports = new Set(record.ports.map((p) => p.name));
        assert.equal(ports.size, record.ports.length);
        assert.equal(new Set(record.ports.map((p) => p.port)).size, record.ports.length);
        assert.equal(new Set(record.endpoints.map((e) => e.instance)).size, record.endpoints.length);
        for (const e of record.endpoints) {
          assert.ok(isIP(e.address) !== 0 && Object.keys(e.ports).length > 0);
          for (const [name, number] of Object.entries(e.ports)) assert.ok(ports.has(name) && number >= 1 && number <= 65_535);
        }
      },
    ),
  );
});

test('whatever JSON comes instead of an object, it is passed over; whatever line instead of an event, it is refused with a code', () => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.anything()), (raw) => {
      for (const project of [projectService, projectSlice, projectPod, projectNode]) project(raw);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.constantFrom('{"type":"ERROR"}', '{"type":"ADDED","object":null}')), (line) => {
      try {
        parseWatchLine(line);
      } catch (error) {
        assert.ok(error instanceof MeshError && error.code === 'PROTOCOL_ERROR' && error.retryable);
      }
    }),
  );
});
