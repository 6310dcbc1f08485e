import type { KeyObject } from 'node:crypto';
import { parseSpiffeId, type SpiffeId } from '../model/index.ts';
import { certificatesToPem, keyToPem, parseCertificate, spkiOf, type TrustBundle } from '../pki/index.ts';
import { accept, type Checked, reject } from '../validate.ts';
import type { RootReport } from '../xds/gen/isthmus/agent/v1/agent.ts';
import type { RootUses } from './root-uses.ts';

/** One X.509-SVID with its key. Immutable. The key never leaves its node: it is no text, so that no log or reply can hold it by accident. */
export interface Svid {
  readonly spiffeId: SpiffeId;
  readonly cluster: string;
  /** Leaf first, then the cluster's intermediate. */
  readonly chainDer: readonly Buffer[];
  readonly chainPem: string;
  readonly key: KeyObject;
  /** Unix ms. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Lower-case hex. */
  readonly serial: string;
}

/** Where a process has its identity from. Rotation replaces the SVID as a whole; whoever holds an old one may finish with it. */
export interface SvidSource {
  current(): Svid;
  /** What its issuer said to trust; the Bundle resources that arrive over ADS say it newer and fuller. */
  bundle(): TrustBundle;
  /** Called after each change of either, never before `subscribe` has returned. Returns its undoing. */
  subscribe(listener: () => void): () => void;
  /** Where handshakes are counted by the root that vouched; absent: nobody asks. */
  readonly roots?: RootUses;
  /** What the control plane is told of the roots that this process leans on. */
  rootReport?(): RootReport;
}

/** A source that somebody sets: for issuers of their own SVIDs, renewal loops and tests. */
export class SettableSvidSource implements SvidSource {
  #svid: Svid;
  #bundle: TrustBundle;
  readonly #listeners = new Set<() => void>();

  constructor(svid: Svid, bundle: TrustBundle) {
    this.#svid = svid;
    this.#bundle = bundle;
  }

  current(): Svid {
    return this.#svid;
  }

  bundle(): TrustBundle {
    return this.#bundle;
  }

  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  set(svid: Svid, bundle: TrustBundle = this.#bundle): void {
    this.#svid = svid;
    this.#bundle = bundle;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Puts a chain and its key together. Violations when the leaf is no SVID or the key is not the leaf's. Verifies nothing. */
export function makeSvid(chainDer: readonly Uint8Array[], key: KeyObject): Checked<Svid> {
  const fail = (message: string) => reject<Svid>([{ path: 'svid', message }]);
  const [first] = chainDer;
  if (first === undefined) return fail('no certificate');
  const leaf = parseCertificate(first);
  if (!leaf.ok) return leaf;
  const { subjectAltName: names } = leaf.value.extensions;
  const spiffeId = parseSpiffeId(names?.uris[0] ?? '');
  const cluster = names?.dns[0]?.split('.')[0];
  if (spiffeId === undefined || cluster === undefined) return fail('the leaf names no workload or no cluster');
  if (!spkiOf(key).equals(leaf.value.spki)) return fail('the key is not that of the certificate');
  const copies = chainDer.map((der) => Buffer.from(der));
  const { notBefore, notAfter, serial } = leaf.value;
  return accept({ spiffeId, cluster, chainDer: copies, chainPem: certificatesToPem(copies), key, notBefore, notAfter, serial });
}

/** PKCS#8, DER: for an engine that ends TLS itself, nothing else. */
export function svidKeyDer(svid: Svid): Buffer {
  return svid.key.export({ type: 'pkcs8', format: 'der' });
}

/** PKCS#8: for TLS contexts and the owner-only file, nothing else. */
export function svidKeyPem(svid: Svid): string {
  return keyToPem(svid.key);
}
