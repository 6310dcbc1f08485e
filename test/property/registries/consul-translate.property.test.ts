import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseHealth } from '../../../registries/consul/schema.ts';
import { translateService } from '../../../registries/consul/translate.ts';
import { rulesWith } from '../../unit/registry/records.ts';

const text = fc.oneof(fc.string(), fc.constantFrom('', '10.0.0.1', 'fd00::1', 'web', 'web.example', 'grpc', '80', '-1'));
const meta = fc.option(
  fc.dictionary(
    fc.oneof(text, fc.constantFrom('isthmus-port', 'isthmus-protocol', 'isthmus-port-name', 'isthmus-locality', '__proto__')),
    text,
  ),
);
const entry = fc.record({
  Node: fc.record({ Node: text, Address: text, Meta: meta }),
  Service: fc.record({
    ID: text,
    Service: fc.constant('web'),
    Tags: fc.option(fc.array(text)),
    Address: fc.option(text),
    Meta: meta,
    Port: fc.integer(),
    Weights: fc.option(fc.record({ Passing: fc.integer(), Warning: fc.integer() })),
    CreateIndex: fc.nat(),
  }),
  Checks: fc.option(fc.array(fc.record({ CheckID: text, Status: fc.oneof(text, fc.constantFrom('passing', 'warning', 'critical')) }))),
});

test('whatever Consul answers, what comes out is a valid service, in whatever order it was listed', () => {
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: (e) => `${e.Node.Node}/${e.Service.ID}` }), (raw) => {
      const entries = parseHealth(raw);
      const { parts, violations } = translateService(entries, rulesWith(), 7);
      for (const { record } of parts) {
        const ports = new Set(record.ports.map((p) => p.name));
        assert.equal(ports.size, record.ports.length);
        assert.equal(new Set(record.ports.map((p) => p.port)).size, record.ports.length);
        for (const p of record.ports) assert.ok(p.port >= 1 && p.port <= 65_535);
        for (const e of record.endpoints) {
          assert.ok(isIP(e.address) !== 0 && e.weight >= 0);
          for (const [name, port] of Object.entries(e.ports)) assert.ok(ports.has(name) && port >= 1 && port <= 65_535);
        }
      }
      for (const v of violations) assert.ok(v.path !== '' && v.message !== '');
      assert.deepEqual(translateService([...entries].reverse(), rulesWith(), 7).parts, parts);
    }),
  );
});

test('whatever JSON comes instead, it is parsed or refused with a code', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (body) => {
      try {
        parseHealth(body);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'PROTOCOL_ERROR');
      }
    }),
  );
});
