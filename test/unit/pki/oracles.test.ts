import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { certificatesToPem, createCsr, csrToPem, generateKey, parseCertificate, parseCsr, spkiOf } from '../../../core/pki/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const mesh = new MeshPki();
const svid = mesh.svid('east', 'shop', 'orders');
const [leaf = Buffer.alloc(0), intermediate = Buffer.alloc(0)] = svid.chainDer;
const root = mesh.root.certificate.der;
const bytes = (der: Buffer) => new Uint8Array(der);

function openssl(t: TestContext, files: Record<string, string>, args: readonly string[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-openssl-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  try {
    return execFileSync('openssl', [...args], { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    return String((error as { stderr?: string }).stderr ?? error);
  }
}

/** Debian's base may come without the program; the handshakes of tls.test.ts ask the same library the same question. */
const withoutProgram = spawnSync('openssl', ['version']).error !== undefined && 'no openssl program here';

const verifyArgs = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', 'root.pem', '-untrusted', 'intermediate.pem', 'leaf.pem'];

test('another implementation reads what we write, and we read the same', () => {
  for (const der of [leaf, intermediate, root]) {
    const theirs = new x509.X509Certificate(bytes(der));
    const ours = parseCertificate(der);
    assert.ok(ours.ok);
    assert.equal(ours.value.serial, theirs.serialNumber.replace(/^00/, ''));
    assert.equal(ours.value.notAfter, theirs.notAfter.getTime());
    assert.equal(ours.value.notBefore, theirs.notBefore.getTime());
    assert.deepEqual(ours.value.spki, Buffer.from(theirs.publicKey.rawData));
    const node = new X509Certificate(der);
    assert.equal(ours.value.serial, node.serialNumber.toLowerCase());
  }
  const names = new x509.X509Certificate(bytes(leaf)).getExtension(x509.SubjectAlternativeNameExtension);
  assert.equal(names?.critical, true);
  assert.deepEqual(
    names?.names.items.map((name) => `${name.type}:${name.value}`),
    ['url:spiffe://mesh.test/ns/shop/sa/orders', 'dns:east.cluster.mesh.test'],
  );
  assert.equal(new x509.X509Certificate(bytes(leaf)).subject, '');
  const constraints = new x509.X509Certificate(bytes(intermediate)).getExtension('2.5.29.30');
  assert.equal(constraints?.critical, true);
});

test('their request holds here, and ours there', async (t) => {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'url', value: 'spiffe://mesh.test/ns/shop/sa/admin' }])],
  });
  const read = parseCsr(new Uint8Array(request.rawData));
  assert.ok(read.ok);
  assert.deepEqual(read.value.requestedUris, ['spiffe://mesh.test/ns/shop/sa/admin']);
  const key = generateKey();
  const der = createCsr(key, { dns: ['east.cluster.mesh.test'] });
  assert.equal(await new x509.Pkcs10CertificateRequest(bytes(der)).verify(), true);
  assert.match(
    openssl(t, { 'request.pem': csrToPem(der) }, ['req', '-in', 'request.pem', '-noout', '-verify', '-text']),
    /east\.cluster\.mesh\.test/,
  );
  const own = parseCsr(der);
  assert.deepEqual(own.ok && own.value.spki, spkiOf(key));
});

test('openssl verify accepts our chains in strict mode, and refuses what name constraints forbid', { skip: withoutProgram }, (t) => {
  const files = {
    'root.pem': certificatesToPem([root]),
    'intermediate.pem': certificatesToPem([intermediate]),
    'leaf.pem': certificatesToPem([leaf]),
  };
  assert.match(openssl(t, files, verifyArgs), /leaf\.pem: OK/);
  const stolen = mesh.forged('west', { uris: ['spiffe://mesh.test/ns/shop/sa/orders'], dns: ['east.cluster.mesh.test'] });
  const asFiles = (chain: readonly Buffer[]) => ({
    ...files,
    'intermediate.pem': certificatesToPem(chain.slice(1)),
    'leaf.pem': certificatesToPem(chain.slice(0, 1)),
  });
  assert.match(openssl(t, asFiles(stolen.chain), verifyArgs), /permitted subtree violation/);
  const nameless = mesh.forged('west', { uris: ['spiffe://mesh.test/ns/shop/sa/orders'], dns: [] });
  assert.match(openssl(t, asFiles(nameless.chain), verifyArgs), /leaf\.pem: OK/, 'which is why our verifier demands the name');
});
