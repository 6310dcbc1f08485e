import { createHash, createHmac, type KeyObject, randomBytes } from 'node:crypto';
import { bmp, context, octets, oidNode, seq, set, unsigned } from './der-write.ts';

/**
 * PKCS#12 (RFC 7292) as current Java and OpenSSL read it. node-forge's writer knows RSA keys alone: here the key is
 * encrypted by node:crypto (PBES2, AES-256-CBC), the whole is authenticated by HMAC-SHA-256. Certificates are no secret and stay in the clear.
 */
const ids = {
  data: '1.2.840.113549.1.7.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  sha256: '2.16.840.1.101.3.4.2.1',
  /** Without it Java takes a certificate that stands alone for none that is trusted. */
  javaTrusted: '2.16.840.1.113894.746875.1.1',
  anyUsage: '2.5.29.37.0',
} as const;

/** SHA-256 in its block of 64 bytes (RFC 7292, appendix B.2). */
const block = 64;
const macIterations = 10_000;

export interface KeyStore {
  readonly key: KeyObject;
  /** Leaf first. */
  readonly chain: readonly Uint8Array[];
  /** Its entry's name. */
  readonly alias: string;
}

/** A key with its chain, e.g. for javax.net.ssl.keyStore. */
export function pkcs12KeyStore({ key, chain, alias }: KeyStore, password: string): Buffer {
  const shrouded = key.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: password });
  const [leaf] = chain;
  const id = attribute(
    ids.localKeyId,
    octets(
      createHash('sha1')
        .update(leaf ?? Buffer.alloc(0))
        .digest(),
    ),
  );
  const name = attribute(ids.friendlyName, bmp(utf16(alias)));
  const keyBag = seq(oidNode(ids.shroudedKeyBag), context(0, shrouded), set(name, id));
  const certificates = chain.map((der, at) => certificateBag(der, at === 0 ? [name, id] : []));
  return pfx([seq(...certificates), seq(keyBag)], password);
}

/** Certificates that are trusted, e.g. for javax.net.ssl.trustStore. */
export function pkcs12TrustStore(
  entries: readonly { readonly alias: string; readonly certificate: Uint8Array }[],
  password: string,
): Buffer {
  const bags = entries.map(({ alias, certificate }) =>
    certificateBag(certificate, [attribute(ids.friendlyName, bmp(utf16(alias))), attribute(ids.javaTrusted, oidNode(ids.anyUsage))]),
  );
  return pfx([seq(...bags)], password);
}

function certificateBag(der: Uint8Array, attributes: readonly Uint8Array[]): Buffer {
  const value = seq(oidNode(ids.x509Certificate), context(0, octets(der)));
  return seq(oidNode(ids.certBag), context(0, value), ...(attributes.length === 0 ? [] : [set(...attributes)]));
}

function pfx(contents: readonly Uint8Array[], password: string): Buffer {
  const safe = seq(...contents.map(dataContent));
  const salt = randomBytes(20);
  const mac = createHmac('sha256', macKey(password, salt)).update(safe).digest();
  const digest = seq(seq(oidNode(ids.sha256), Buffer.from([5, 0])), octets(mac));
  return seq(integer(3), dataContent(safe), seq(digest, octets(salt), integer(macIterations)));
}

function dataContent(bytes: Uint8Array): Buffer {
  return seq(oidNode(ids.data), context(0, octets(bytes)));
}

function attribute(id: string, value: Uint8Array): Buffer {
  return seq(oidNode(id), set(value));
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return unsigned(bytes);
}

function utf16(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

/** RFC 7292, appendix B.2, for one block of output: the key of the HMAC (id 3). */
function macKey(password: string, salt: Buffer): Buffer {
  const secret = Buffer.concat([utf16(password), Buffer.alloc(2)]);
  let key = createHash('sha256').update(Buffer.alloc(block, 3)).update(filled(salt)).update(filled(secret)).digest();
  for (let count = 1; count < macIterations; count++) key = createHash('sha256').update(key).digest();
  return key;
}

/** Repeated to whole blocks. */
function filled(bytes: Buffer): Buffer {
  return Buffer.alloc(block * Math.ceil(bytes.length / block), bytes);
}
