import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isDnsLabel, type ServiceRecord, serviceKey } from '../../../core/model/index.ts';
import { deepEqual, diffServices, isExcluded, matchesGlob, nameService, ServiceIndex, sameService } from '../../../core/registry/index.ts';
import { endpoint, rulesWith, service } from '../../unit/registry/records.ts';

const records = fc.array(
  fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    namespace: fc.constantFrom('x', 'y'),
    instances: fc.uniqueArray(fc.constantFrom('1', '2', '3')),
    port: fc.integer({ min: 1, max: 3 }),
  }),
);

const build = (list: { name: string; namespace: string; instances: string[]; port: number }[]): ServiceRecord[] => [
  ...new Map(
    list.map((r) => [
      serviceKey(r.namespace, r.name),
      service(r.name, { namespace: r.namespace, endpoints: r.instances.map((i) => endpoint(i, { ports: { http: r.port } })) }),
    ]),
  ).values(),
];

test('whatever a registry says, a name is two DNS labels or an exclusion', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), fc.array(fc.string()), (name, ns, tags) => {
      for (const namespaceFrom of ['native', { meta: 'ns' }, { tagPrefix: 'ns=' }] as const) {
        const rules = rulesWith({ namespaceFrom });
        const named = nameService({ name, nativeNamespace: ns, meta: { ns }, tags: [`ns=${ns}`, ...tags] }, rules);
        if (!isExcluded(named)) assert.ok(isDnsLabel(named.name) && isDnsLabel(named.namespace));
      }
    }),
  );
});

test('a glob agrees with the regular expression that says the same', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*') });
  fc.assert(
    fc.property(text, text, (pattern, subject) => {
      const regex = new RegExp(`^${pattern.split('*').join('[^]*')}$`);
      assert.equal(matchesGlob(pattern, subject), regex.test(subject));
    }),
  );
});

test('applying a diff to the list before gives the list after', () => {
  fc.assert(
    fc.property(records, records, (one, two) => {
      const [before, after] = [build(one), build(two)];
      const state = new Map(before.map((s) => [serviceKey(s.namespace, s.name), s]));
      for (const event of diffServices(before, after, '')) {
        if (event.kind === 'upsert') state.set(serviceKey(event.service.namespace, event.service.name), event.service);
        if (event.kind === 'delete') state.delete(event.id);
      }
      assert.equal(state.size, after.length);
      for (const s of after) assert.ok(sameService(s, state.get(serviceKey(s.namespace, s.name)) as ServiceRecord));
      assert.deepEqual(diffServices(after, [...after].reverse(), ''), []);
    }),
  );
});

test('deepEqual is what assert.deepStrictEqual says of plain data', () => {
  const json = fc.jsonValue();
  const expected = (a: unknown, b: unknown) => {
    try {
      assert.deepStrictEqual(a, b);
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(fc.property(json, json, (a, b) => deepEqual(a, structuredClone(a)) && deepEqual(a, b) === expected(a, b)));
});

test('an index fed in any order ends in one state, and its deltas lead there', () => {
  const op = fc.record({
    native: fc.constantFrom('n1', 'n2', 'n3'),
    names: fc.uniqueArray(fc.constantFrom('a', 'b')),
    renamed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(op), (ops) => {
      const index = new ServiceIndex();
      const told = new Map<string, ServiceRecord>();
      const last = new Map<string, (typeof ops)[number]>();
      const parts = (o: (typeof ops)[number]) =>
        o.names.map((n) => ({ record: service(n, { endpoints: [endpoint(`${o.native}-${n}`)] }), renamed: o.renamed }));
      for (const o of ops) {
        last.set(o.native, o);
        for (const e of index.set(o.native, parts(o), '')) {
          if (e.kind === 'upsert') told.set(serviceKey(e.service.namespace, e.service.name), e.service);
          if (e.kind === 'delete') told.delete(e.id);
        }
      }
      const fresh = new ServiceIndex();
      for (const o of [...last.values()].reverse()) fresh.set(o.native, parts(o), '');
      assert.deepEqual(index.services(), fresh.services());
      assert.deepEqual(
        index.services(),
        [...told].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, s]) => s),
      );
    }),
  );
});
