import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HttpSigner, loadRoot, rootFromPkcs12, signIntermediate } from '../../../control/ca/index.ts';
import type { AuthorityStatus } from '../../../core/admin/index.ts';
import { silentLog } from '../../../core/log.ts';
import { certificatesToPem, createCsr, generateKey, issueBootstrap, keyToPem, pemBlocks } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { RealControl } from '../../support/real-control.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

type Answer = (
  body: { cluster: string; trustDomain: string; csr: string; ttlSeconds: number },
  token: string | undefined,
) => { code?: number; text: string };

/** An HTTPS server that answers as it is told, and the file that vouches for it. */
async function signerAt(t: TestContext, dir: string, answer: Answer): Promise<{ url: string; caFile: string }> {
  const key = generateKey();
  const { der } = issueBootstrap(key, 'localhost', Date.now(), 3_600_000);
  const caFile = join(dir, 'signer-ca.pem');
  await writeFile(caFile, certificatesToPem([der]));
  const server = createServer({ key: keyToPem(key), cert: certificatesToPem([der]) }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { code = 200, text } = answer(JSON.parse(Buffer.concat(chunks).toString('utf8')), request.headers.authorization);
      response.writeHead(code, { 'content-type': 'application/json' }).end(text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(t, async () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `https://localhost:${(server.address() as AddressInfo).port}/sign`, caFile };
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}

/** As an operator has it from a CA of their own. */
function makeRoot(dir: string, name: string, ...algorithm: string[]): void {
  const made = [
    'req',
    '-x509',
    '-newkey',
    ...algorithm,
    '-nodes',
    '-days',
    '30',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    join(dir, `${name}.key`),
  ];
  openssl(
    ...made,
    '-out',
    join(dir, `${name}.crt`),
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign',
  );
  openssl(
    'pkcs12',
    '-export',
    '-inkey',
    join(dir, `${name}.key`),
    '-in',
    join(dir, `${name}.crt`),
    '-passout',
    'pass:a password',
    '-out',
    join(dir, `${name}.p12`),
  );
}

test('roots of RSA and P-384 from PKCS#12 and PEM sign intermediates that OpenSSL verifies', async (t) => {
  const dir = await temporaryDir(t);
  makeRoot(dir, 'rsa', 'rsa:2048');
  makeRoot(dir, 'ec', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384');
  await writeFile(join(dir, 'password'), 'a password\n', { mode: 0o600 });
  for (const name of ['rsa', 'ec']) {
    const bytes = await readFile(join(dir, `${name}.p12`));
    assert.throws(() => rootFromPkcs12(bytes, 'another'), /password is another one/, name);
    assert.throws(() => rootFromPkcs12(bytes.subarray(0, 200), 'a password'), /refused/, name);
    const folder = join(dir, `${name}-root`);
    const flags = ['--dir', folder, '--trust-domain', 'mesh.test', '--passphrase-file', join(dir, 'password')];
    const imported = await runCli(['ca', 'import', ...flags, join(dir, `${name}.p12`)], { HOME: dir });
    assert.equal(imported.code, 0, imported.err);
    const root = await loadRoot(folder, 'mesh.test');
    const signed = signIntermediate(root, createCsr(generateKey()), 'east', Date.now(), 3_600_000);
    await writeFile(join(dir, 'signed.pem'), certificatesToPem([signed.der]));
    openssl('verify', '-x509_strict', '-CAfile', join(dir, `${name}.crt`), join(dir, 'signed.pem'));
    const again = await runCli(['ca', 'import', ...flags, join(dir, `${name}.p12`)], { HOME: dir });
    assert.match(again.err, /never overwritten/);
  }
});

test('a cluster whose root is behind an HTTPS signer gets its signing certificate there, and takes nothing else from it', async (t) => {
  const dir = await temporaryDir(t);
  makeRoot(dir, 'far', 'rsa:2048');
  makeRoot(dir, 'evil', 'rsa:2048');
  const issuer = async (name: string) => {
    await runCli(
      [
        'ca',
        'import',
        '--dir',
        join(dir, `${name}-root`),
        '--trust-domain',
        'mesh.test',
        '--passphrase-file',
        join(dir, 'password'),
        join(dir, `${name}.p12`),
      ],
      { HOME: dir },
    );
    return loadRoot(join(dir, `${name}-root`), 'mesh.test');
  };
  await writeFile(join(dir, 'password'), 'a password\n', { mode: 0o600 });
  await writeFile(join(dir, 'token'), 'a-secret-token\n', { mode: 0o600 });
  const [far, evil] = [await issuer('far'), await issuer('evil')];
  const asked: string[] = [];
  let turn = 0;
  const { url, caFile } = await signerAt(t, dir, ({ cluster, trustDomain, csr, ttlSeconds }, token) => {
    asked.push(`${cluster} ${trustDomain} ${ttlSeconds} ${token}`);
    const [der = Buffer.alloc(0)] = pemBlocks(csr, 'CERTIFICATE REQUEST');
    const chainOf = (root: typeof far, request: Uint8Array = der, as = cluster) =>
      JSON.stringify({ chain: certificatesToPem([signIntermediate(root, request, as, Date.now(), 3_600_000).der, root.certificate.der]) });
    turn += 1;
    const wrong = [{ code: 503, text: 'later' }, { text: chainOf(evil) }, { text: chainOf(far, createCsr(generateKey())) }];
    return wrong[turn - 1] ?? { text: chainOf(far) };
  });
  const signer = { url, caFile, tokenFile: join(dir, 'token'), rootFile: join(dir, 'far.crt') };
  const control = await RealControl.make(join(dir, 'east'), 'east', '', { identity: { signer } });
  onEnd(t, () => control.stop());
  await control.start();
  const status = await until(
    'it can issue',
    async () => {
      const now = await control.get<AuthorityStatus>('/v1/ca');
      assert.equal(now.ready, true);
      return now;
    },
    60_000,
  );
  assert.equal(turn, 4, 'it asked until what came fitted');
  assert.match(asked[0] ?? '', /^east mesh\.test 7776000 Bearer a-secret-token$/);
  assert.deepEqual(
    status.certificates.map((each) => each.kind),
    ['root', 'intermediate'],
  );
});

test('a signer that hangs, redirects, floods or answers nonsense is refused, and its faults hold no token', async (t) => {
  const dir = await temporaryDir(t);
  await writeFile(join(dir, 'token'), 'a-secret-token', { mode: 0o600 });
  const answers = [
    { code: 302, text: '' },
    { text: 'x'.repeat(100_000) },
    { text: '{"chain": 1}' },
    { text: '{"chain": "-----BEGIN"}' },
    { text: 'nonsense' },
  ];
  const said: unknown[] = [];
  let at = 0;
  const { url, caFile } = await signerAt(t, dir, () => answers[at++] ?? { text: '' });
  const log = { ...silentLog, warn: (fields: object) => void said.push(fields) };
  const options = {
    url,
    caFile,
    tokenFile: join(dir, 'token'),
    cluster: 'east',
    trustDomain: 'mesh.test',
    ttlMs: 1_000,
    clock: systemClock,
    random: () => 0,
    log,
  };
  for (const _ of answers) assert.equal(await new HttpSigner(options).sign(createCsr(generateKey())), undefined);
  const untrusted = new HttpSigner({ ...options, caFile: join(dir, 'token') });
  assert.equal(await untrusted.sign(createCsr(generateKey())), undefined);
  assert.equal(said.length, answers.length + 1);
  assert.ok(!JSON.stringify(said).includes('a-secret-token'));
});
