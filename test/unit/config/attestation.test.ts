import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { parseObject } from '../../../control/config/index.ts';
import { parseClaimsExpression } from '../../../core/cel/index.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';
import { cel } from '../../support/attest/attestor-scene.ts';
import { readBlocks } from '../../support/docs-blocks.ts';
import { repositoryRoot } from '../../support/repository-root.ts';

const issuer = { type: 'oidc', issuer: 'https://tokens.example.org' };
const usual = { name: 'all', when: 'true', grant: { serviceAccount: 'orders' } };

/** Paths and messages of what is wrong. */
function faults(spec: object, namespace = 'shop'): string[] {
  const object = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'AttestationPolicy', metadata: { name: 'ci', namespace }, spec };
  const [document] = parseDocuments('a.yaml', JSON.stringify(object)).documents;
  assert.ok(document !== undefined);
  return parseObject(document, '/').violations.map(({ path, message }) => `${path.replace('spec.', '')}: ${message}`);
}

test('what is wrong with a policy is said all at once, each with its path', () => {
  assert.deepEqual(faults({ attestor: issuer, rules: [usual] }), []);
  const found = faults({
    attestor: { ...issuer, issuer: 'http://tokens.example.org', algorithms: ['HS256', 'none'], maxLifetime: '400d', secret: 'x' },
    sources: ['everywhere'],
    rules: [
      { name: 'one', when: 'claims.sub ==', grant: { serviceAccount: 'a b' } },
      {
        name: 'one',
        when: 'claims.sub + 1 == 2 || claims.sub.matches("(a+)+$")',
        grant: { serviceAccount: cel('nothing.here'), addresses: ['10.0.0.0/40'] },
      },
      {
        name: 'three',
        when: '"text"',
        grant: { namespace: `a-${cel('claims.x')}`, serviceAccount: 'x', services: [{ name: 'UPPER', ports: [0] }], group: 'orders-vms' },
      },
      { name: 'four', when: 'true', grant: { role: 'gateway', serviceAccount: 'gateway' } },
      { name: 'five', when: 'true', grant: { namespace: 'bank', serviceAccount: 'x', services: [{ name: '*', namespace: 'bank' }] } },
      { name: 'six', when: 'true', grant: {} },
    ],
  });
  const expected = [
    /^attestor\.issuer: must be https/,
    /^attestor\.algorithms\[0\]: "HS256" is none of RS256/,
    /^attestor\.algorithms\[1\]: "none" is none of RS256/,
    /^attestor\.maxLifetime: must be between 1m and 30d/,
    /^attestor\.secret: unknown field/,
    /^sources\[0\]: must be an IP or CIDR/,
    /^rules\[0\]\.when: is no CEL over claims/,
    /^rules\[0\]\.grant\.serviceAccount: must be letters/,
    /^rules\[1\]\.name: is the name of rules\[0\] too/,
    /^rules\[1\]\.when: matches is not taken/,
    /^rules\[1\]\.grant\.serviceAccount: is no CEL over claims: Unknown variable: nothing/,
    /^rules\[1\]\.grant\.addresses\[0\]: must be an IP or CIDR/,
    /^rules\[2\]\.when: must be a bool, and is a string/,
    /^rules\[2\]\.grant\.namespace: must be a DNS label, or one \$\{EXPRESSION\} as a whole/,
    /^rules\[2\]\.grant\.services\[0\]\.name: must be a DNS label or \*/,
    /^rules\[2\]\.grant\.services\[0\]\.ports\[0\]: /,
    /^rules\[2\]\.grant\.group: must be NAMESPACE\/NAME/,
    /^rules\[3\]\.grant\.serviceAccount: means nothing for role gateway/,
    /^rules\[3\]\.grant\.role: only policies in isthmus-system grant gateways/,
    /^rules\[4\]\.grant\.namespace: must be shop/,
    /^rules\[4\]\.grant\.services\[0\]\.namespace: must be shop/,
    /^rules\[5\]\.grant\.serviceAccount: is required of a workload/,
  ];
  for (const each of expected)
    assert.ok(
      found.some((fault) => each.test(fault)),
      `${each}: ${found.join('\n')}`,
    );
  assert.deepEqual(faults({ attestor: issuer, rules: [{ ...usual, grant: { role: 'gateway' } }] }, 'isthmus-system'), []);
  assert.match(faults({ attestor: { type: 'saml' }, rules: [usual] }).join(), /attestor\.type: "saml" is none of oidc, nomad/);
  assert.match(
    faults({ attestor: { type: 'aws', accounts: [1], certificates: '' }, rules: [] }).join('\n'),
    /accounts\[0\][\s\S]*certificates|certificates[\s\S]*accounts\[0\]/,
  );
});

test('expressions cost little whatever they are shown, and a claim that is not there is no value', () => {
  const value = (text: string, claims: object) => {
    const parsed = parseClaimsExpression(text);
    assert.ok(parsed.ok, text);
    const result = parsed.value.evaluate(claims as Record<string, unknown>);
    return result.ok ? result.value : 'no value';
  };
  const claims = { sub: 'a:b', n: 5, list: ['x', 'y'], 'kubernetes.io': { pod: { name: 'p' } } };
  assert.equal(value('claims.sub.split(":")[1]', claims), 'b');
  assert.equal(value('claims.n == 5 && "x" in claims.list', claims), true);
  assert.equal(value('claims["kubernetes.io"].pod.name', claims), 'p');
  assert.equal(value('claims.n', claims), 5);
  for (const absent of [
    'claims.missing',
    'claims.sub.deeper',
    'claims.constructor',
    'claims.__proto__',
    'claims.toString',
    'claims.list[7]',
  ])
    assert.equal(value(absent, claims), 'no value', absent);
  for (const refused of [
    '',
    'claims.',
    'env.HOME',
    'claims.list.all(x, claims.list.all(y, x == y))',
    `claims.sub == "${'a'.repeat(3_000)}"`,
    `${'('.repeat(40)}1${')'.repeat(40)}`,
  ])
    assert.equal(parseClaimsExpression(refused).ok, false, refused.slice(0, 40));
});

test('what the page on attestation shows is taken', async () => {
  const [whole = '', ...attestors] = await readBlocks('docs/attest.md', 'yaml');
  assert.deepEqual(
    parseDocuments('attest.md', whole).documents.flatMap((each) => parseObject(each, '/').violations),
    [],
  );
  const corpus = await readFile(join(repositoryRoot, 'test/samples/corpus/own/attestation-policy.yaml'), 'utf8');
  const pems = [...corpus.matchAll(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g)].map(([pem]) =>
    pem.replace(/^ +/gm, ''),
  );
  assert.equal(attestors.length, 5);
  for (const block of attestors) {
    const [document] = parseDocuments('attest.md', block).documents;
    const { attestor = {} } = (document?.value ?? {}) as { attestor?: Record<string, unknown> };
    const shown = {
      ...attestor,
      ...('certificates' in attestor ? { certificates: pems[0] } : {}),
      ...('authorities' in attestor ? { authorities: pems[1] } : {}),
    };
    assert.deepEqual(faults({ attestor: shown, rules: [usual] }), []);
  }
});
