import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseConfig } from '../../../control/config/index.ts';
import { type AuthzRule, authorizationPolicies, authorize, type Caller, callerPolicies } from '../../../control/policy/index.ts';
import { compileAuthz } from '../../../control/snapshot/build-service.ts';
import { nativeDialect } from '../../../control/snapshot/encode-native.ts';
import { seal } from '../../../control/snapshot/seal.ts';
import type { AuthorizationPolicyObject, ExportPolicyObject } from '../../../core/config/index.ts';
import { native } from '../../../core/xds/index.ts';
import { checkAuthz } from '../../../core/xds/validate-authz.ts';
import { authzOf } from '../../../gateway/state/convert-authz.ts';
import { inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

/** Istio's object as a user writes it. */
interface Raw {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly action?: 'ALLOW' | 'DENY';
    readonly rules?: readonly { readonly from?: readonly { readonly source: Readonly<Record<string, readonly string[]>> }[] }[];
  };
}

const names = ['web', 'ops', 'web-2'];
const spaces = ['shop', 'shop-2', 'bank'];
const clusters = ['east', 'west', 'north'];

const principal = fc
  .tuple(fc.constantFrom(...spaces, 'isthmus-system'), fc.constantFrom(...names, 'gateway'))
  .map(([ns, sa]) => `mesh.test/ns/${ns}/sa/${sa}`);
/** Exact, or cut at any place that leaves something which could match. */
const starred = (text: fc.Arbitrary<string>) =>
  fc.oneof(
    text,
    text.chain((t) => fc.integer({ min: 1, max: t.length }).map((n) => `${t.slice(0, n)}*`)),
    text.chain((t) => fc.integer({ min: 0, max: t.length - 1 }).map((n) => `*${t.slice(n)}`)),
    fc.constant('*'),
  );
const list = (item: fc.Arbitrary<string>) => fc.array(item, { minLength: 1, maxLength: 3 });
const aSource = fc
  .record(
    {
      principals: list(starred(principal)),
      notPrincipals: list(starred(principal)),
      namespaces: list(starred(fc.constantFrom(...spaces))),
      notNamespaces: list(starred(fc.constantFrom(...spaces))),
      clusters: list(starred(fc.constantFrom(...clusters))),
    },
    { requiredKeys: [] },
  )
  .filter((s) => Object.keys(s).length > 0);
const aRule = fc.record({ from: fc.array(fc.record({ source: aSource }), { minLength: 1, maxLength: 3 }) }, { requiredKeys: [] });
const aSpec = fc
  .record(
    {
      selector: fc.record({ matchLabels: fc.constantFrom({}, { app: 'orders' }, { app: 'other' }, { app: 'orders', tier: 'x' }) }),
      action: fc.constantFrom('ALLOW' as const, 'DENY' as const),
      rules: fc.array(aRule, { maxLength: 3 }),
    },
    { requiredKeys: [] },
  )
  .filter((s) => s.action !== 'DENY' || (s.rules ?? []).length > 0);
const rawPolicies = fc
  .array(fc.tuple(aSpec, fc.constantFrom('shop', 'shop', 'isthmus-system', 'bank')), { maxLength: 4 })
  .map((all) => all.map(([spec, namespace], i): Raw => ({ metadata: { name: `p${i}`, namespace }, spec })));
const aCaller: fc.Arbitrary<Caller> = fc
  .tuple(principal, fc.constantFrom(...clusters))
  .map(([p, cluster]) => ({ principal: p, namespace: p.split('/')[2] ?? '', cluster }));

/** Istio's words, from its reference page, in another form than the product's: one regular expression for each value. */
function istioAllows(policies: readonly Raw[], labels: Readonly<Record<string, string>>, caller: Caller): boolean {
  const hits = (value: string, texts: readonly string[]) =>
    new RegExp(`^(${texts.map((t) => (t === '*' ? '.+' : t.replace(/[.]/g, '\\.').replace('*', '.*'))).join('|')})$`).test(value);
  const sourceHolds = (s: Readonly<Record<string, readonly string[]>>) =>
    Object.entries(s).every(([field, texts]) => {
      const negated = field.startsWith('not');
      const subject = negated ? field.charAt(3).toLowerCase() + field.slice(4) : field;
      const value = subject === 'principals' ? caller.principal : subject === 'namespaces' ? caller.namespace : caller.cluster;
      return hits(value, texts) !== negated;
    });
  const holds = (p: Raw) => (p.spec.rules ?? []).some((r) => r.from === undefined || r.from.some((f) => sourceHolds(f.source)));
  const here = policies.filter(
    ({ metadata, spec }) =>
      (metadata.namespace === 'isthmus-system' || metadata.namespace === 'shop') &&
      Object.entries(spec.selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value),
  );
  if (here.some((p) => p.spec.action === 'DENY' && holds(p))) return false;
  const allowing = here.filter((p) => p.spec.action !== 'DENY');
  return allowing.length === 0 || allowing.some(holds);
}

const meshYaml =
  'apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {cluster: east, trustDomain: mesh.test, stateDir: s}\n';

/** As a file of the control plane has them: JSON is YAML. */
function parsed(raw: readonly Raw[]): AuthorizationPolicyObject[] {
  const objects = raw.map((p) => JSON.stringify({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', ...p }));
  const result = parseConfig([{ file: 'isthmus.yaml', text: [meshYaml, ...objects].join('\n---\n') }]);
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.violations));
  return result.value.objects.filter((o): o is AuthorizationPolicyObject => o.kind === 'AuthorizationPolicy');
}

const exported: ExportPolicyObject = {
  kind: 'ExportPolicy',
  name: 'orders',
  namespace: 'shop',
  spec: { services: ['orders'], labels: {}, audience: ['west', 'north'] },
};
const peers = new Map([
  ['west', ['*']],
  ['north', ['shop']],
]);
const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [exported], peers });
/** What the world looked like before there were AuthorizationPolicies. */
const baseAllows = ({ principal: who, namespace, cluster }: Caller) =>
  cluster !== 'north' || namespace === 'shop' || who === 'mesh.test/ns/isthmus-system/sa/gateway';

const labels = { app: 'orders' };
const orders = { ...serviceOf('orders', [{ instance: 'vm-1' }]), labels };

const rulesOf = (objects: readonly AuthorizationPolicyObject[]) =>
  compileAuthz(orders, inputsOf(viewOf([orders]), { policies: [...base, authorizationPolicies(objects)] })).rules;

/** Through the bytes that data planes get. */
function overTheWire(rules: readonly AuthzRule[]): native.Authz {
  const [resource] = nativeDialect.translate('shop/orders', [seal('authz', 'shop/orders', { rules })], { logging: undefined } as never);
  assert.ok(resource);
  const message = native.Authz.decode(resource.value);
  assert.deepEqual(checkAuthz(message), []);
  return message;
}

/** A reader from before there was `also`: what it does not know it skips. */
const asOlderReader = ({ name, rules }: native.Authz) =>
  authzOf(native.Authz.fromPartial({ name, rules: rules.map((rule) => ({ ...rule, also: [], condition: undefined })) })).rules;

test('callers pass exactly when both the rules of the mesh and Istio would let them; in the control plane and over the wire alike', () => {
  let allowed = 0;
  let refused = 0;
  fc.assert(
    fc.property(rawPolicies, fc.array(aCaller, { minLength: 3, maxLength: 8 }), (raw, callers) => {
      const rules = rulesOf(parsed(raw));
      const wire = overTheWire(rules);
      const older = asOlderReader(wire);
      for (const caller of callers) {
        const expected = baseAllows(caller) && istioAllows(raw, labels, caller);
        assert.equal(authorize(rules, caller).allowed, expected, JSON.stringify({ raw, caller, rules }));
        assert.equal(authorize(authzOf(wire).rules, caller).allowed, expected, 'over the wire');
        if (!expected) assert.equal(authorize(older, caller).allowed, false, 'an older reader lets nobody in whom a newer refuses');
        if (expected) allowed += 1;
        else refused += 1;
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(allowed > 200 && refused > 200, `${allowed} allowed, ${refused} refused: the cases show too little`);
});

test('the order of policies, of rules and of what they list makes no difference to the resource', () => {
  fc.assert(
    fc.property(rawPolicies, (raw) => {
      const objects = parsed(raw);
      const turned = [...objects].reverse();
      assert.equal(seal('authz', 'a', { rules: rulesOf(objects) }).version, seal('authz', 'a', { rules: rulesOf(turned) }).version);
    }),
    { numRuns: 100 },
  );
});
