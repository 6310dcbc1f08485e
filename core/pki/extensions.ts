import {
  children,
  type Der,
  DerError,
  expectTag,
  readBoolean,
  readDer,
  readIa5,
  readOid,
  readSmallInt,
  readUnsigned,
  sequence,
  tag,
} from './der-read.ts';
import { oid } from './oids.ts';

/** The extensions that path validation here understands (RFC 5280 §4.2). Absent ones are undefined. */
export interface Extensions {
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number };
  readonly keyUsage?: { readonly digitalSignature: boolean; readonly keyCertSign: boolean };
  /** OIDs. */
  readonly extendedKeyUsage?: readonly string[];
  readonly subjectAltName?: SubjectAltName;
  readonly nameConstraints?: NameConstraints;
  readonly subjectKeyIdentifier?: Buffer;
  readonly authorityKeyIdentifier?: Buffer;
  /** Critical ones that are none of these: whoever meets one must refuse. */
  readonly unknownCritical: readonly string[];
}

export interface SubjectAltName {
  readonly uris: readonly string[];
  readonly dns: readonly string[];
  /** Names of other types: email, IP, directory, ... */
  readonly others: number;
}

export interface NameConstraints {
  readonly permittedDns: readonly string[];
  readonly excludedDns: readonly string[];
  /** Constraints on other types of names, which nothing here can check. */
  readonly others: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** `Extensions ::= SEQUENCE OF Extension`. Throws DerError. */
export function readExtensions(der: Der): Extensions {
  const found: Mutable<Extensions> & { unknownCritical: string[] } = { unknownCritical: [] };
  const seen = new Set<string>();
  for (const element of sequence(der)) {
    const parts = sequence(element);
    const id = readOid(parts[0]);
    if (seen.has(id)) throw new DerError(`extension ${id} twice`);
    seen.add(id);
    const critical = parts.length === 3 && readBoolean(expectTag(parts[1], tag.boolean));
    if (parts.length < 2 || parts.length > 3) throw new DerError('extension form');
    const value = readDer(expectTag(parts[parts.length - 1], tag.octetString).content);
    if (!readKnown(found, id, value) && critical) found.unknownCritical.push(id);
  }
  return found;
}

function readKnown(into: Mutable<Extensions>, id: string, value: Der): boolean {
  switch (id) {
    case oid.basicConstraints:
      into.basicConstraints = readBasicConstraints(value);
      return true;
    case oid.keyUsage:
      into.keyUsage = readKeyUsage(value);
      return true;
    case oid.extendedKeyUsage:
      into.extendedKeyUsage = sequence(value).map(readOid);
      return true;
    case oid.subjectAltName:
      into.subjectAltName = readSubjectAltName(value);
      return true;
    case oid.nameConstraints:
      into.nameConstraints = readNameConstraints(value);
      return true;
    case oid.subjectKeyIdentifier:
      into.subjectKeyIdentifier = expectTag(value, tag.octetString).content;
      return true;
    case oid.authorityKeyIdentifier: {
      const keyId = sequence(value).find((part) => part.tag === tag.primitive(0));
      if (keyId !== undefined) into.authorityKeyIdentifier = keyId.content;
      return true;
    }
    default:
      return false;
  }
}

function readBasicConstraints(value: Der): NonNullable<Extensions['basicConstraints']> {
  const parts = sequence(value);
  const ca = parts[0]?.tag === tag.boolean ? readBoolean(parts[0]) : false;
  const length = parts.find((part) => part.tag === tag.integer);
  return length === undefined ? { ca } : { ca, pathLength: readSmallInt(length) };
}

function readKeyUsage(value: Der): NonNullable<Extensions['keyUsage']> {
  const { content } = expectTag(value, tag.bitString);
  const unused = content[0] ?? 0;
  const first = content[1] ?? 0;
  if (content.length < 2 || unused > 7) throw new DerError('KeyUsage');
  return { digitalSignature: (first & 0x80) !== 0, keyCertSign: (first & 0x04) !== 0 };
}

const dnsName = tag.primitive(2);
const uriName = tag.primitive(6);

function readSubjectAltName(value: Der): SubjectAltName {
  const names = sequence(value);
  const of = (wanted: number) => names.filter((name) => name.tag === wanted).map(readIa5);
  const uris = of(uriName);
  const dns = of(dnsName);
  return { uris, dns, others: names.length - uris.length - dns.length };
}

function readNameConstraints(value: Der): NameConstraints {
  const subtrees = (n: number) => {
    const list = sequence(value).find((part) => part.tag === tag.constructed(n));
    return (list === undefined ? [] : children(list)).map((subtree) => {
      const [base, minimum] = sequence(subtree);
      if (base === undefined) throw new DerError('GeneralSubtree');
      // RFC 5280 §4.2.1.10: minimum is 0 and absent in DER, maximum is absent.
      if (minimum !== undefined) throw new DerError(`GeneralSubtree bound ${readUnsigned(minimum, minimum.tag).toString('hex')}`);
      return base;
    });
  };
  const permitted = subtrees(0);
  const excluded = subtrees(1);
  const dns = (list: readonly Der[]) => list.filter((base) => base.tag === dnsName).map(readIa5);
  const permittedDns = dns(permitted);
  const excludedDns = dns(excluded);
  return { permittedDns, excludedDns, others: permitted.length + excluded.length - permittedDns.length - excludedDns.length };
}
