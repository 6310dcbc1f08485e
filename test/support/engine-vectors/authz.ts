import {
  type AuthzCondition,
  type AuthzFacts,
  type AuthzMatch,
  type AuthzRule,
  type AuthzTest,
  auditedBy,
} from '../../../core/authz/index.ts';
import { connectionDenial, denialOf } from '../../../gateway/engine/evaluate-authz.ts';

const sni = 'outbound_.8080_.v1_.orders.shop.mesh.internal';
const connection = { sourceAddress: '10.1.2.3', destinationAddress: '10.9.0.1', port: 8_080, sni };
const own = (namespace: string, account: string, cluster = 'east') => ({
  principal: `mesh.internal/ns/${namespace}/sa/${account}`,
  namespace,
  cluster,
  connection,
});
const foreign = (principal: string) => ({ principal, namespace: '', cluster: '', foreign: true as const, connection });

const callers: Readonly<Record<string, AuthzFacts>> = {
  web: own('shop', 'web'),
  'web of west': own('shop', 'web', 'west'),
  batch: own('jobs', 'batch'),
  'shop-old': own('shop-old', 'web'),
  nobody: { principal: '', namespace: '', cluster: '', connection },
  stranger: foreign('other.example/ns/shop/sa/web'),
  'stranger of another form': foreign('other.example/web'),
  'look-alike': foreign('mesh.internal.example/ns/shop/sa/web'),
  'web over IPv6': {
    ...own('shop', 'web'),
    connection: { sourceAddress: '::ffff:10.1.2.3', destinationAddress: 'fd00::1', port: 443, sni: '' },
  },
};

const nothing = { principals: [], namespaces: [], clusters: [] };
const rule = (action: AuthzRule['action'], name: string, more: Partial<AuthzRule> = {}): AuthzRule => ({
  action,
  name,
  ...nothing,
  ...more,
});
const allow = (more: Partial<AuthzRule> = {}) => rule('allow', 'let-in', more);
const also = (more: Partial<AuthzMatch>): AuthzMatch => ({ ...nothing, notPrincipals: [], notNamespaces: [], ...more });
const is = (attribute: AuthzTest['attribute'], ...patterns: readonly string[]): AuthzTest => ({
  kind: 'test',
  attribute,
  names: [],
  patterns,
});
const header: AuthzTest = { kind: 'test', attribute: 'header', names: ['x-team'], patterns: ['shop'] };
const all = (...of: readonly AuthzCondition[]): AuthzCondition => ({ kind: 'all', of });
const any = (...of: readonly AuthzCondition[]): AuthzCondition => ({ kind: 'any', of });
const not = (of: AuthzCondition): AuthzCondition => ({ kind: 'not', of });
const unknown: AuthzCondition = { kind: 'unknown' };
const when = (condition: AuthzCondition) => [allow({ when: condition })];
const denyWhen = (condition: AuthzCondition) => [allow(), rule('deny', 'keep-out', { when: condition })];

const ruleSets: Readonly<Record<string, readonly AuthzRule[]>> = {
  'no rules': [],
  'everybody of the mesh': [allow()],
  'nobody, by a condition of none': when(any()),
  'everybody, by a condition of none': when(all()),
  'a principal': [allow({ principals: ['mesh.internal/ns/shop/sa/web'] })],
  'any principal': [allow({ principals: ['*'] })],
  'a suffix': [allow({ principals: ['*/sa/web'] })],
  'a prefix': [allow({ principals: ['mesh.internal/ns/shop*'] })],
  'an asterisk in the middle is a letter': [allow({ principals: ['mesh.internal/*/sa/web', 'mesh.internal/ns/shop/sa/*b'] })],
  'a namespace': [allow({ namespaces: ['shop'] })],
  'a cluster': [allow({ clusters: ['w*'] })],
  'a namespace and a cluster': [allow({ namespaces: ['shop', 'jobs'], clusters: ['east'] })],
  'the empty text is nobody': [allow({ namespaces: [''] })],
  'a foreign principal': [allow({ principals: ['other.example/ns/shop/sa/web'] })],
  'a foreign trust domain': [allow({ principals: ['other.example/*'] })],
  'a foreign trust domain, not in full': [allow({ principals: ['other.ex*', '*.example/ns/shop/sa/web', '*/ns/shop/sa/web'] })],
  'a foreign principal beside everybody': [allow({ also: [also({ principals: ['other.example/*', '*'] })] })],
  'deny comes first': [allow(), rule('deny', 'keep-out', { namespaces: ['jobs'] })],
  'the first deny is named': [rule('deny', 'one', { namespaces: ['jobs'] }), allow(), rule('deny', 'two'), rule('deny', 'three')],
  'deny of strangers': [allow({ principals: ['other.example/*'] }), rule('deny', 'keep-out', { principals: ['*/sa/web'] })],
  'audit decides nothing': [rule('audit', 'look', { namespaces: ['shop'] }), rule('audit', 'look'), rule('audit', 'see', { when: header })],
  also: [allow({ namespaces: ['shop*'], also: [also({ clusters: ['east'] }), also({ notNamespaces: ['*-old'] })] })],
  'not these principals': [allow({ also: [also({ notPrincipals: ['*/ns/jobs/*', 'mesh.internal/ns/jobs*'] })] })],
  'service account': when(is('service-account', 'shop/web')),
  'service account, to keep out: a stranger has none of ours': [
    allow({ principals: ['other.example/*', '*'] }),
    rule('deny', 'keep-out', { when: is('service-account', 'shop/web') }),
  ],
  'service account, no pattern': when(is('service-account', 'shop/*')),
  'trust domain': when(is('trust-domain', 'mesh.*')),
  'not that trust domain': denyWhen(not(is('trust-domain', 'mesh.internal'))),
  'principal, namespace and cluster by conditions': when(all(is('principal', '*web'), is('namespace', 'shop'), is('cluster', 'east'))),
  'source range': when(is('source-ip', '10.1.0.0/16', 'fd00::/8')),
  'not that source range': when(not(is('source-ip', '10.1.2.3/32'))),
  'destination range': when(is('destination-ip', 'fd00::/8')),
  port: when(is('port', '8080')),
  'a port in another spelling': when(is('port', '08080', '8080 ', 'https')),
  'server name': when(is('sni', '*.orders.shop.mesh.internal', 'outbound_.443*')),
  'any server name': when(is('sni', '*')),
  'a request, to let in': when(header),
  'a request or a port, to let in': when(any(is('port', '8080'), is('method', 'GET'))),
  'a request, to keep out': denyWhen(is('path', '/admin*')),
  'a request of jobs, to keep out': denyWhen(all(is('namespace', 'jobs'), is('host', 'orders'))),
  'no request, to keep out': denyWhen(not(is('request-principal', '*'))),
  'a request or shop, to keep out': denyWhen(any(is('claim', 'x'), is('namespace', 'shop'))),
  'unknown, to let in': when(any(unknown, is('port', '8080'))),
  'unknown, to keep out': denyWhen(all(unknown, is('namespace', 'shop'))),
  'unknown beside a rule that lets in': [...when(unknown), allow({ namespaces: ['jobs'] })],
};

export function authzVectors() {
  const rulesOf = Object.entries(ruleSets).map(([name, rules]) => {
    const asked = Object.entries(callers).map(([caller, facts]) => [caller, judged(rules, facts)] as const);
    return { name, rules, asked: Object.fromEntries(asked) };
  });
  return { callers, rulesOf };
}

/** Of a byte stream; of a connection for requests; by which audit rules a byte stream is marked. */
function judged(rules: readonly AuthzRule[], facts: AuthzFacts): readonly [string | null, string | null, ...string[]] {
  const [state, stream] = [
    { name: '', rules },
    { ...facts, request: 'none' as const },
  ];
  return [denialOf(state, stream) ?? null, connectionDenial(state, facts) ?? null, ...auditedBy(rules, stream)];
}
