import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pemBlocks } from '../../../core/pki/index.ts';
import { openssl } from './openssl.ts';

/** A certificate authority made by openssl, as a company has one for its machines. */
export interface TestAuthority {
  readonly name: string;
  /** PEM. */
  readonly certificate: string;
  /** A certificate below it, chain leaf first. `extensions`: lines for openssl; `days`: below 0 it has ended. */
  issue(name: string, more?: { extensions?: readonly string[]; key?: readonly string[]; days?: number }): Promise<ClientCertificate>;
  /** A signing certificate below it. */
  intermediate(name: string, extensions?: readonly string[]): Promise<TestAuthority>;
}

export interface ClientCertificate {
  readonly chain: readonly Buffer[];
  readonly key: KeyObject;
}

export const usualLeaf = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature', 'extendedKeyUsage=clientAuth'];
const usualCa = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
const ec = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];

export async function testAuthority(dir: string, name: string): Promise<TestAuthority> {
  const path = (file: string) => join(dir, `${name}-${file}`);
  await openssl('genpkey', ...ec, '-out', path('key.pem'));
  const extensions = usualCa.flatMap((each) => ['-addext', each]);
  await openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    path('key.pem'),
    '-subj',
    `/O=Example/CN=${name}`,
    '-days',
    '30',
    '-out',
    path('cert.pem'),
    ...extensions,
  );
  return authorityAt(dir, name, []);
}

/** `above`: its own certificate and those over it, but for the root. */
async function authorityAt(dir: string, name: string, above: readonly Buffer[]): Promise<TestAuthority> {
  const read = async (child: string) => readFile(join(dir, `${child}-cert.pem`), 'utf8');
  const make = async (child: string, extensions: readonly string[], key: readonly string[], days: number) => {
    const at = (file: string) => join(dir, `${child}-${file}`);
    await openssl('genpkey', ...key, '-out', at('key.pem'));
    await openssl('req', '-new', '-key', at('key.pem'), '-subj', `/O=Example/OU=vms/CN=${child}`, '-out', at('csr.pem'));
    await writeFile(at('ext.cnf'), `${extensions.join('\n')}\n`);
    const issuer = ['-CA', join(dir, `${name}-cert.pem`), '-CAkey', join(dir, `${name}-key.pem`), '-CAcreateserial'];
    await openssl('x509', '-req', '-in', at('csr.pem'), '-out', at('cert.pem'), '-extfile', at('ext.cnf'), '-days', `${days}`, ...issuer);
    return pemBlocks(await read(child), 'CERTIFICATE');
  };
  return {
    name,
    certificate: await read(name),
    async issue(child, { extensions = usualLeaf, key = ec, days = 7 } = {}) {
      const leaf = await make(child, extensions, key, days);
      return { chain: [...leaf, ...above], key: createPrivateKey(await readFile(join(dir, `${child}-key.pem`), 'utf8')) };
    },
    async intermediate(child, extensions = usualCa) {
      return authorityAt(dir, child, [...(await make(child, extensions, ec, 14)), ...above]);
    },
  };
}
