import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { nativeDialect } from '../../../control/snapshot/index.ts';
import { seal } from '../../../control/snapshot/seal.ts';
import { type AuthzCondition, type AuthzFacts, type AuthzRule, authorize, mayBeAllowed } from '../../../core/authz/index.ts';
import { native } from '../../../core/xds/index.ts';
import { checkAuthz } from '../../../core/xds/validate-authz.ts';
import { authzOf } from '../../../gateway/state/convert-authz.ts';

const word = fc.constantFrom('a', 'b', 'ab');
const pattern = fc.oneof(word, fc.constantFrom('*', 'a*', '*b'));
const leaf: fc.Arbitrary<AuthzCondition> = fc.oneof(
  fc.record({
    kind: fc.constant('test' as const),
    attribute: fc.constantFrom('namespace', 'cluster', 'method', 'host', 'sni'),
    names: fc.constant([]),
    patterns: fc.array(pattern, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({
    kind: fc.constant('test' as const),
    attribute: fc.constantFrom('header', 'claim'),
    names: fc.constantFrom(['a'], ['b']),
    patterns: fc.array(pattern, { minLength: 1, maxLength: 2 }),
  }),
  fc.constant({ kind: 'test', attribute: 'source-ip', names: [], patterns: ['10.0.0.0/8'] } as const),
  fc.constant({ kind: 'test', attribute: 'port', names: [], patterns: ['80'] } as const),
  fc.constant({ kind: 'test', attribute: 'path', names: [], patterns: ['/a/{*}', '/b*'] } as const),
);
const condition = fc.letrec<{ any: AuthzCondition }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({ kind: fc.constantFrom('all', 'any'), of: fc.array(tie('any'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ kind: fc.constant('not' as const), of: tie('any') }),
  ),
})).any;
const names = fc.array(pattern, { maxLength: 1 });
const rule: fc.Arbitrary<AuthzRule> = fc
  .record({
    action: fc.constantFrom('allow', 'allow', 'deny', 'audit'),
    name: word,
    namespaces: names,
    clusters: names,
    when: fc.option(condition, { nil: undefined }),
  })
  .map(({ when, ...rest }) => ({ ...rest, principals: [], ...(when === undefined ? {} : { when }) }));
const rules = fc.array(rule, { minLength: 1, maxLength: 5 });
const caller = fc.record({ namespace: word, cluster: word }).map((c) => ({ ...c, principal: `mesh.test/ns/${c.namespace}/sa/x` }));
const request = fc
  .record({
    method: word,
    authority: word,
    path: fc.constantFrom('/a/b', '/b/c', '/c'),
    header: fc.dictionary(word, word),
    claims: fc.option(fc.dictionary(word, word), { nil: undefined }),
  })
  .map(({ header, claims, ...rest }) => ({ ...rest, header: (name: string) => header[name], ...(claims === undefined ? {} : { claims }) }));
const facts: fc.Arbitrary<AuthzFacts> = fc
  .record({
    who: caller,
    connection: fc.record({
      sourceAddress: fc.constantFrom('10.1.1.1', '::1'),
      destinationAddress: fc.constant('10.0.0.1'),
      port: fc.constantFrom(80, 81),
      sni: word,
    }),
    request: fc.oneof(request, fc.constant('none' as const)),
  })
  .map(({ who, ...rest }) => ({ ...who, ...rest }));

function overTheWire(list: readonly AuthzRule[]): native.Authz {
  const [resource] = nativeDialect.translate('shop/orders', [seal('authz', 'shop/orders', { rules: list })], {
    logging: undefined,
  } as never);
  assert.ok(resource);
  const message = native.Authz.decode(resource.value);
  assert.deepEqual(checkAuthz(message), []);
  return message;
}

/** From before there were conditions: it skips the lists and fields that it does not know. */
const asOlderReader = ({ name, rules: plain, guardedRules }: native.Authz) => {
  const known = (list: readonly native.AuthzRule[]) => list.map((each) => ({ ...each, condition: undefined }));
  return authzOf(native.Authz.fromPartial({ name, rules: known(plain), guardedRules: known(guardedRules) })).rules;
};

test('data planes decide as the control plane, an older one lets nobody in whom they refuse, and the view holds whoever is let in', () => {
  let allowed = 0;
  let hidden = 0;
  fc.assert(
    fc.property(rules, fc.array(facts, { minLength: 3, maxLength: 8 }), (list, all) => {
      const wire = overTheWire(list);
      const [newer, older] = [authzOf(wire).rules, asOlderReader(wire)];
      for (const each of all) {
        const verdict = authorize(list, each).allowed;
        assert.equal(authorize(newer, each).allowed, verdict, 'over the wire');
        if (!verdict) assert.equal(authorize(older, each).allowed, false, 'an older reader');
        const { principal, namespace, cluster } = each;
        const seen = mayBeAllowed(list, { principal, namespace, cluster });
        if (verdict) assert.equal(seen, true, 'hidden from one who is let in');
        if (verdict) allowed += 1;
        if (!seen) hidden += 1;
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(allowed > 300 && hidden > 300, `${allowed} allowed, ${hidden} hidden: the cases show too little`);
});

test('what a data plane does not know of a condition lets in nobody whom the whole of it refuses', () => {
  const forget = (of: AuthzCondition, lost: () => boolean): AuthzCondition => {
    if (lost()) return { kind: 'unknown' };
    if (of.kind === 'not') return { kind: 'not', of: forget(of.of, lost) };
    return of.kind === 'all' || of.kind === 'any' ? { kind: of.kind, of: of.of.map((each) => forget(each, lost)) } : of;
  };
  fc.assert(
    fc.property(rules, facts, fc.infiniteStream(fc.boolean()), (list, each, losses) => {
      const lost = () => losses.next().value === true;
      const less = list.map((r) => (r.when === undefined ? r : { ...r, when: forget(r.when, lost) }));
      if (authorize(less, each).allowed) assert.equal(authorize(list, each).allowed, true);
    }),
    { numRuns: 2_000 },
  );
});
