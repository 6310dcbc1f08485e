import fc from 'fast-check';

/** What stands in the spec of an AuthorizationPolicy, and how tokens are verified beside it. */
export interface PolicyCase {
  readonly policies: readonly object[];
  /** Of a RequestAuthentication; absent: there is none. */
  readonly jwtRules?: readonly object[];
}

export const issuer = 'https://issuer.test';

const allow = (rule: object): PolicyCase => ({ policies: [{ rules: [rule] }] });
const deny = (rule: object): PolicyCase => ({ policies: [{ action: 'DENY', rules: [rule] }] });
const to = (operation: object) => ({ to: [{ operation }] });
const from = (source: object) => ({ from: [{ source }] });
const when = (key: string, values: readonly string[], notValues: readonly string[] = []) => ({
  when: [{ key, ...(values.length === 0 ? {} : { values }), ...(notValues.length === 0 ? {} : { notValues }) }],
});

/** Each field once in a rule that lets in and once in one that refuses. */
const fields: readonly object[] = [
  to({ methods: ['GET', 'P*'] }),
  to({ notMethods: ['GET'] }),
  to({ paths: ['/api/*'] }),
  to({ paths: ['*.txt'] }),
  to({ paths: ['/admin'] }),
  to({ notPaths: ['/admin*', '/'] }),
  to({ paths: ['/api/{*}/orders', '/admin/{**}'] }),
  to({ hosts: ['orders.shop'] }),
  to({ notHosts: ['*:8080'] }),
  to({ ports: ['80'] }),
  to({ notPorts: ['80'] }),
  to({ methods: ['GET'], paths: ['/api/*'], notPaths: ['*/secret'] }),
  { to: [{ operation: { methods: ['POST'] } }, { operation: { paths: ['/admin'] } }] },
  from({ ipBlocks: ['127.0.0.2'] }),
  from({ notIpBlocks: ['127.0.0.0/31', 'fd00::/8'] }),
  from({ serviceAccounts: ['web'] }),
  from({ notServiceAccounts: ['shop/web'] }),
  from({ notClusters: ['west'] }),
  from({ trustDomains: ['mesh.*'], namespaces: ['shop'] }),
  { ...from({ principals: ['*/sa/web'] }), ...to({ methods: ['GET'] }) },
  { from: [{ source: { principals: ['*/sa/web'] } }, { source: { requestPrincipals: ['*'] } }] },
  when('request.headers[X-Tenant]', ['acme', 'b*']),
  when('request.headers[x-tenant]', ['*']),
  when('request.headers[x-tenant]', [], ['acme*']),
  when('source.ip', ['127.0.0.1/32']),
  when('destination.ip', ['127.0.0.0/8']),
  when('destination.port', [], ['81']),
  when('connection.sni', ['outbound_.80_.*']),
  when('source.namespace', ['sh*'], ['shop-*']),
  when('source.principal', ['mesh.test/ns/shop/*']),
];

const verified = { jwtRules: [{ issuer, jwks: '' }] };

const tokens: readonly PolicyCase[] = [
  { policies: [], ...verified },
  { policies: [{ rules: [from({ requestPrincipals: ['*'] })] }], ...verified },
  { policies: [{ action: 'DENY', rules: [from({ notRequestPrincipals: ['*'] })] }], ...verified },
  { policies: [{ rules: [from({ requestPrincipals: [`${issuer}/alice`] })] }], ...verified },
  { policies: [{ rules: [from({ requestPrincipals: ['*/bob', 'https://other.test/*'] })] }], ...verified },
  { policies: [{ rules: [when('request.auth.claims[groups][eu]', ['admin'])] }], ...verified },
  { policies: [{ rules: [when('request.auth.claims[scope]', ['write'], ['none'])] }], ...verified },
  { policies: [{ rules: [when('request.auth.audiences', ['orders'])] }], ...verified },
  { policies: [{ rules: [when('request.auth.principal', [`${issuer}/*`])] }], ...verified },
  { policies: [], jwtRules: [{ issuer, jwks: '', audiences: ['orders'], forwardOriginalToken: true }] },
  {
    policies: [],
    jwtRules: [
      { issuer, jwks: '', fromHeaders: [{ name: 'x-token', prefix: 'T ' }], fromParams: ['t'], outputPayloadToHeader: 'x-payload' },
    ],
  },
  { policies: [], jwtRules: [{ issuer, jwks: '', outputClaimToHeaders: [{ header: 'x-sub', claim: 'sub' }] }] },
  {
    policies: [{ rules: [from({ requestPrincipals: ['*'] })] }],
    jwtRules: [{ issuer: 'https://first.test', jwks: '' }, ...verified.jwtRules],
  },
];

const pick = (all: readonly string[], more: object = {}) => fc.subarray([...all], { minLength: 1, maxLength: 2, ...more });
const source = fc.record(
  {
    principals: pick(['*/sa/web', 'mesh.test/ns/shop/sa/till']),
    notPrincipals: pick(['*/sa/web', 'mesh.test/ns/ops/*']),
    namespaces: pick(['shop', 'ops']),
    ipBlocks: pick(['127.0.0.2', '127.0.0.0/31']),
    notRequestPrincipals: pick(['*', `${issuer}/alice`]),
    requestPrincipals: pick([`${issuer}/*`, '*/bob']),
  },
  { requiredKeys: [] },
);
const operation = fc.record(
  {
    methods: pick(['GET', 'POST', 'D*']),
    notMethods: pick(['GET', 'DELETE']),
    paths: pick(['/api/*', '/admin', '*.txt', '/{*}', '/api/{**}']),
    notPaths: pick(['/api/v1/secret', '/admin/{*}', '/']),
    hosts: pick(['ORDERS.shop', 'orders.*']),
    ports: pick(['80', '81']),
  },
  { requiredKeys: [] },
);
const condition = fc.record({
  key: fc.constantFrom('request.headers[x-tenant]', 'request.auth.claims[scope]', 'request.auth.claims[groups][eu]', 'connection.sni'),
  values: pick(['acme', 'write', 'admin', '*']),
  notValues: fc.subarray(['b', 'read*'], { maxLength: 1 }),
});
const some = <T extends object>(one: fc.Arbitrary<T>) =>
  fc.array(
    one.filter((each) => Object.keys(each).length > 0),
    { minLength: 1, maxLength: 2 },
  );
const rule = fc.record(
  {
    from: some(source).map((all) => all.map((each) => ({ source: each }))),
    to: some(operation).map((all) => all.map((each) => ({ operation: each }))),
    when: fc.array(condition, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [] },
);
const policy = fc.record({ action: fc.constantFrom('ALLOW', 'ALLOW', 'DENY'), rules: fc.array(rule, { minLength: 1, maxLength: 2 }) });

/** The same ones in each run. */
export function policyCases(generated: number): readonly PolicyCase[] {
  const made = fc.sample(fc.array(policy, { minLength: 1, maxLength: 3 }), { numRuns: generated, seed: 7 });
  return [...fields.flatMap((each) => [allow(each), deny(each)]), ...tokens, ...made.map((policies) => ({ policies, ...verified }))];
}
