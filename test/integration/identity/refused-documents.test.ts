import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { formatX509Proof, type X509Statement } from '../../../core/identity/index.ts';
import { generateKey, spkiOf } from '../../../core/pki/index.ts';
import { attestorFor, audience, rule } from '../../support/attest/attestor-scene.ts';
import { type ClientCertificate, testAuthority } from '../../support/attest/client-certificates.ts';
import { documentSigner, instanceDocument } from '../../support/attest/instance-documents.ts';
import { type RefusalCase, RefusalTable, turned } from '../../support/attest/refusal-table.ts';
import { temporaryDir } from '../../support/control-plane.ts';

const { UNAUTHENTICATED, PERMISSION_DENIED } = status;
const minute = 60_000;

test('instance documents of AWS that are forged, of another account, replayed or late are refused', async (t) => {
  const dir = await temporaryDir(t);
  const [aws, other, small] = [
    await documentSigner(dir),
    await documentSigner(dir),
    await documentSigner(dir, ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']),
  ];
  const spec = { type: 'aws' as const, certificates: aws.certificate, accounts: ['123456789012'], firstWithinMs: 0 };
  const table = await RefusalTable.open(t, (parts) => [
    attestorFor(parts, 'shop/aws', { attestor: spec, sources: [], rules: [rule({}, 'claims.region == "eu-central-1"')] }),
    attestorFor(parts, 'shop/fresh', { attestor: { ...spec, firstWithinMs: 30 * minute }, sources: [], rules: [rule()] }),
  ]);
  const document = instanceDocument();
  const good = await aws.sign(document);
  const bytes = Buffer.from(good.replace(/\s/g, ''), 'base64');
  const at = bytes.indexOf('123456789012');
  const row = (
    name: string,
    reason: RefusalCase['reason'],
    proof: string | Buffer,
    code = UNAUTHENTICATED,
    attestor = 'shop/aws',
  ): RefusalCase => ({
    name,
    code,
    reason,
    send: () => table.attest({ attestor, proof: typeof proof === 'string' ? proof : proof.toString('base64') }),
  });
  await table.attest({ attestor: 'shop/aws', proof: good });
  const launched = (ago: number, id: string) =>
    aws.sign(instanceDocument({ instanceId: id, pendingTime: new Date(Date.now() - ago).toISOString() }));
  await table.attest({ attestor: 'shop/fresh', proof: await launched(10 * minute, 'i-00000000000000001') });
  await table.check([
    row('no base64', 'malformed', '{"instanceId": "i-0123456789abcdef0"}'),
    row('the document without a signature', 'malformed', Buffer.from(JSON.stringify(document))),
    row('truncated', 'malformed', bytes.subarray(0, bytes.length - 40)),
    row('lengths that never end', 'malformed', Buffer.alloc(2_000, Buffer.of(0x30, 0x80))),
    row('signed by somebody', 'bad-signature', await other.sign(document)),
    row('signed by somebody with the wrong kind of key', 'wrong-algorithm', await small.sign(document)),
    row('of another account, changed after signing', 'bad-signature', turned(bytes, at)),
    row('with SHA-1', 'wrong-algorithm', await aws.sign(document, ['-md', 'sha1'])),
    row(
      'two signers',
      'malformed',
      await aws.sign(document, ['-md', 'sha256', '-signer', `${dir}/signer-2-cert.pem`, '-inkey', `${dir}/signer-2-key.pem`]),
    ),
    row('not about an instance', 'malformed', await aws.sign({ accountId: '123456789012', region: 'eu-central-1' })),
    row('an instance id that is a path', 'malformed', await aws.sign(instanceDocument({ instanceId: 'i-1/../../x' }))),
    row('no JSON', 'malformed', await aws.sign('hello')),
    row('of another customer', 'untrusted-issuer', await aws.sign(instanceDocument({ accountId: '999999999999' })), PERMISSION_DENIED),
    row('of another region', 'no-rule', await aws.sign(instanceDocument({ region: 'us-east-1' })), PERMISSION_DENIED),
    row('of the future', 'not-yet-valid', await aws.sign(instanceDocument({ pendingTime: '2099-01-01T00:00:00Z' }))),
    row('with another key than the first', 'replayed', good),
    row('of the same instance, signed anew', 'replayed', await aws.sign(document, ['-md', 'sha512', '-noattr'])),
    row('of an instance launched long ago', 'expired', await launched(31 * minute, 'i-00000000000000002'), UNAUTHENTICATED, 'shop/fresh'),
  ]);
});

test('certificates that are of another authority, not for this, out of time, or not proven to be held, are refused', async (t) => {
  const dir = await temporaryDir(t);
  const [machines, others] = [await testAuthority(dir, 'machines'), await testAuthority(dir, 'others')];
  const spec = { type: 'x509' as const, authorities: machines.certificate };
  const table = await RefusalTable.open(t, (parts) => [
    attestorFor(parts, 'shop/x509', { attestor: spec, sources: [], rules: [rule({}, 'claims.subject.OU == "vms"')] }),
  ]);
  const good = await machines.issue('vm-1');
  const between = await machines.intermediate('between');
  const below = await between.issue('vm-2');
  const short = await (
    await machines.intermediate('short', ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign'])
  ).intermediate('deep');
  const bounded = await machines.intermediate('bounded', [
    'basicConstraints=critical,CA:TRUE',
    'keyUsage=critical,keyCertSign',
    'nameConstraints=critical,permitted;DNS:example.org',
  ]);
  const noAuthority = await machines.intermediate('no-authority', [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
  ]);
  const key = generateKey();
  const proof = ({ chain, key: own }: ClientCertificate, statement: Partial<X509Statement> = {}) =>
    formatX509Proof(chain, own, { audience, time: Date.now(), instance: 'vm-1', spki: spkiOf(key), ...statement });
  const row = (
    name: string,
    reason: RefusalCase['reason'],
    make: () => Buffer | Promise<Buffer>,
    more: { key?: typeof key; instance?: string } = {},
    code = UNAUTHENTICATED,
  ): RefusalCase => ({
    name,
    code,
    reason,
    send: async () => table.attest({ attestor: 'shop/x509', proof: await make(), key, ...more }),
  });
  for (const held of [good, below]) await table.attest({ attestor: 'shop/x509', proof: proof(held), key });
  const rsa = await machines.issue('rsa', { key: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'] });
  const ed25519 = await machines.issue('ed25519', { key: ['-algorithm', 'ED25519'] });
  for (const held of [rsa, ed25519]) await table.attest({ attestor: 'shop/x509', proof: proof(held), key });
  const weak = await machines.issue('weak', { key: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'] });
  const other = await others.issue('vm-1-of-others');
  const leaf = (name: string, ...extensions: string[]) => machines.issue(name, { extensions });
  const ended = await machines.issue('ended', { days: -1 });
  const ca = await leaf('ca-leaf', 'basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,digitalSignature');
  const server = await leaf('server', 'basicConstraints=critical,CA:FALSE', 'extendedKeyUsage=serverAuth');
  const encipher = await leaf('encipher', 'basicConstraints=critical,CA:FALSE', 'keyUsage=critical,keyEncipherment');
  const critical = await leaf('critical', 'basicConstraints=critical,CA:FALSE', '1.2.3.4=critical,ASN1:NULL');
  const [shortLeaf, boundedLeaf, falseLeaf] = [await short.issue('vm-3'), await bounded.issue('vm-4'), await noAuthority.issue('vm-5')];
  const json = (change: (said: Record<string, unknown>) => Record<string, unknown>) =>
    Buffer.from(JSON.stringify(change(JSON.parse(proof(good).toString()) as Record<string, unknown>)));
  await table.check([
    row('no JSON', 'malformed', () => Buffer.from('-----BEGIN CERTIFICATE-----')),
    row('no certificate', 'malformed', () => json((said) => ({ ...said, chain: [] }))),
    row('six certificates', 'malformed', () => json((said) => ({ ...said, chain: Array(6).fill((said['chain'] as string[])[0]) }))),
    row('a certificate cut short', 'malformed', () => proof({ ...good, chain: good.chain.map((der) => der.subarray(0, der.length - 3)) })),
    row('of another authority', 'untrusted-issuer', () => proof(other)),
    row('signed by nobody in between', 'untrusted-issuer', () => proof({ ...below, chain: below.chain.slice(0, 1) })),
    row('in the wrong order', 'untrusted-issuer', () => proof({ ...below, chain: [...below.chain].reverse() })),
    row('below a certificate that may sign none', 'untrusted-issuer', () => proof(falseLeaf)),
    row('deeper than an authority allows', 'untrusted-issuer', () => proof(shortLeaf)),
    row('below name constraints', 'untrusted-issuer', () => proof(boundedLeaf)),
    row('a certificate that was changed', 'untrusted-issuer', () => proof({ ...good, chain: good.chain.map((der) => turned(der, -1)) })),
    row('a certificate that has ended', 'expired', () => proof(ended)),
    row('a signing certificate', 'bad-certificate', () => proof(ca)),
    row('a certificate for servers', 'bad-certificate', () => proof(server)),
    row('a certificate that may not sign', 'bad-certificate', () => proof(encipher)),
    row('a critical extension that nobody knows', 'bad-certificate', () => proof(critical)),
    row('RSA of 1,024 bits', 'wrong-algorithm', () => proof(weak)),
    row('an old proof', 'expired', () => proof(good, { time: Date.now() - 6 * minute })),
    row('a proof of the future', 'not-yet-valid', () => proof(good, { time: Date.now() + 6 * minute })),
    row('for another cluster', 'wrong-audience', () => proof(good, { audience: 'isthmus/mesh.test/west' })),
    row('signed by another key', 'bad-signature', () => proof({ chain: good.chain, key: other.key })),
    row('a signature of zeros', 'bad-signature', () => json((said) => ({ ...said, signature: Buffer.alloc(64).toString('base64') }))),
    row('a time changed after signing', 'bad-signature', () => json((said) => ({ ...said, time: Number(said['time']) - 1 }))),
    row('replayed with another key', 'bad-signature', () => proof(good), { key: generateKey() }),
    row('replayed as another instance', 'bad-signature', () => proof(good), { instance: 'vm-2' }),
  ]);
});
