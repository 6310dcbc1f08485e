import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openssl } from './openssl.ts';

/** What stands in for AWS: a certificate, and documents that openssl signs with its key. */
export interface DocumentSigner {
  /** PEM. */
  readonly certificate: string;
  /** As the metadata service gives it: base64 of a PKCS#7 message. `flags`: more for `openssl cms -sign`. */
  sign(document: unknown, flags?: readonly string[]): Promise<string>;
}

let signers = 0;

/** `dir`: for its files. `key`: how openssl makes one. */
export async function documentSigner(dir: string, key: readonly string[] = ['rsa:2048']): Promise<DocumentSigner> {
  signers += 1;
  const own = signers;
  const path = (name: string) => join(dir, `signer-${own}-${name}`);
  const subject = ['-subj', '/C=US/O=Amazon Web Services LLC', '-days', '3650'];
  await openssl('req', '-x509', '-newkey', ...key, '-nodes', '-keyout', path('key.pem'), '-out', path('cert.pem'), ...subject);
  let documents = 0;
  return {
    certificate: await readFile(path('cert.pem'), 'utf8'),
    async sign(document, flags = ['-md', 'sha256', '-indef']) {
      documents += 1;
      const [input, output] = [path(`${documents}.json`), path(`${documents}.der`)];
      await writeFile(input, typeof document === 'string' ? document : JSON.stringify(document, null, 2));
      const signer = ['-signer', path('cert.pem'), '-inkey', path('key.pem')];
      await openssl('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-in', input, '-out', output, ...signer, ...flags);
      return (await readFile(output)).toString('base64').replace(/(.{64})/g, '$1\n');
    },
  };
}

export function instanceDocument(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    accountId: '123456789012',
    architecture: 'x86_64',
    availabilityZone: 'eu-central-1a',
    billingProducts: null,
    imageId: 'ami-0123456789abcdef0',
    instanceId: 'i-0123456789abcdef0',
    instanceType: 't3.small',
    pendingTime: '2026-11-20T08:00:00Z',
    privateIp: '10.0.0.7',
    region: 'eu-central-1',
    version: '2017-09-30',
    ...more,
  };
}
