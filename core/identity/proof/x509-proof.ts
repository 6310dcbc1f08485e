import { type KeyObject, sign, verify } from 'node:crypto';
import { sha256Hex } from '../../pki/index.ts';

/** What an x509 proof says, besides its certificates: the holder of the certificate's key vouches for another key, for one purpose and moment. */
export interface X509Statement {
  readonly audience: string;
  /** Unix ms. */
  readonly time: number;
  readonly instance: string;
  /** SubjectPublicKeyInfo of the key that the SVID is to be for. */
  readonly spki: Uint8Array;
}

/** The proof as it travels. */
export interface X509Proof {
  readonly audience: string;
  readonly time: number;
  /** DER, leaf first. */
  readonly chain: readonly Buffer[];
  readonly signature: Buffer;
}

const maxChain = 5;

/** Lines, none of which may hold a line break: no two statements have the same bytes. */
function signedBytes({ audience, time, instance, spki }: X509Statement): Buffer {
  return Buffer.from(['isthmus-attest-x509-v1', audience, String(time), instance, sha256Hex(spki)].join('\n'));
}

/** Ed25519 and Ed448 hash for themselves. */
function digestFor(key: KeyObject): string | undefined {
  return key.asymmetricKeyType === 'ec' || key.asymmetricKeyType === 'rsa' ? 'sha256' : undefined;
}

/** UTF-8 JSON. `key`: that of the first certificate. */
export function formatX509Proof(chain: readonly Uint8Array[], key: KeyObject, statement: X509Statement): Buffer {
  const signature = sign(digestFor(key), signedBytes(statement), key);
  return Buffer.from(
    JSON.stringify({
      audience: statement.audience,
      time: statement.time,
      chain: chain.map((der) => Buffer.from(der).toString('base64')),
      signature: signature.toString('base64'),
    }),
  );
}

/** Undefined: it is none. Nothing of it has been verified. */
export function parseX509Proof(bytes: Uint8Array): X509Proof | undefined {
  let said: unknown;
  try {
    said = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof said !== 'object' || said === null) return undefined;
  const { audience, time, chain, signature } = said as Record<string, unknown>;
  if (typeof audience !== 'string' || /[\r\n]/.test(audience) || audience.length > 512) return undefined;
  if (typeof time !== 'number' || !Number.isSafeInteger(time) || typeof signature !== 'string') return undefined;
  if (!Array.isArray(chain) || chain.length === 0 || chain.length > maxChain) return undefined;
  if (!chain.every((each): each is string => typeof each === 'string')) return undefined;
  return { audience, time, chain: chain.map((each) => Buffer.from(each, 'base64')), signature: Buffer.from(signature, 'base64') };
}

/** Whether that key signed that statement; never throws. */
export function x509SignatureHolds(key: KeyObject, statement: X509Statement, signature: Uint8Array): boolean {
  try {
    return verify(digestFor(key), signedBytes(statement), key, signature);
  } catch {
    return false;
  }
}
