import { formatSpiffeId, formatWorkloadId, principalOf } from '../../core/model/index.ts';
import { fingerprintOf, type PeerExpectation, parseCertificate, type TrustBundle, verifyPeer } from '../../core/pki/index.ts';

/** Certificates, what they are verified against, and who they prove: what every implementation of core/pki's rules must say, word for word. */
export interface PeerVectors {
  /** Unix ms. */
  readonly now: number;
  readonly bundles: Readonly<Record<string, BundleJson>>;
  readonly cases: readonly PeerVector[];
  readonly mutations: readonly Mutations[];
}

/** A trust bundle as the native engine reads it; certificates are hex of their DER. */
export interface BundleJson {
  readonly trustDomain: string;
  readonly roots: readonly string[];
  readonly intermediates: readonly { readonly cluster: string; readonly certificate: string }[];
  readonly deniedSerials: readonly string[];
  readonly others: readonly BundleJson[];
}

export interface PeerVector {
  readonly name: string;
  /** In `bundles`. */
  readonly bundle: string;
  /** Unix ms. Absent: the file's. */
  readonly now?: number;
  readonly chain: readonly string[];
  readonly expectation: PeerExpectation;
  readonly verdict: VectorVerdict;
}

export type VectorVerdict =
  | {
      readonly ok: true;
      readonly spiffeId: string;
      readonly principal: string;
      readonly namespace: string;
      readonly serviceAccount: string;
      readonly cluster: string;
      readonly foreign: boolean;
      readonly fingerprint: string;
      readonly root: string | null;
      readonly serial: string;
      readonly notAfterMs: number;
    }
  | { readonly ok: false; readonly reason: string };

/** One case with one byte of one certificate changed, for every byte of it. */
export interface Mutations {
  /** A case's name. */
  readonly of: string;
  /** In its chain. */
  readonly certificate: number;
  readonly xor: number;
  /** Each is what the verifier says in its own order of first meeting; empty: it holds all the same. */
  readonly reasons: readonly string[];
  /** By the changed byte's place: which of `reasons`. */
  readonly verdicts: readonly number[];
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (hex: string): Buffer => Buffer.from(hex, 'hex');

export function bundleToJson({ trustDomain, roots, intermediates, deniedSerials, others = [] }: TrustBundle): BundleJson {
  return {
    trustDomain,
    roots: roots.map(hexOf),
    intermediates: intermediates.map(({ cluster, certificate }) => ({ cluster, certificate: hexOf(certificate) })),
    deniedSerials,
    others: others.map(bundleToJson),
  };
}

export function bundleFromJson({ trustDomain, roots, intermediates, deniedSerials, others }: BundleJson): TrustBundle {
  const read = intermediates.map(({ cluster, certificate }) => ({ cluster, certificate: bytesOf(certificate) }));
  const own = { trustDomain, roots: roots.map(bytesOf), intermediates: read, deniedSerials };
  return others.length === 0 ? own : { ...own, others: others.map(bundleFromJson) };
}

/** What core/pki says. */
export function judge(chain: readonly string[], bundle: TrustBundle, now: number, expectation: PeerExpectation): VectorVerdict {
  const ders = chain.map(bytesOf);
  const verdict = verifyPeer(ders, bundle, now, expectation);
  if (!verdict.ok) return { ok: false, reason: verdict.reason };
  const leaf = parseCertificate(ders[0] ?? Buffer.alloc(0));
  const fingerprint = leaf.ok ? fingerprintOf(leaf.value) : '';
  const common = { fingerprint, serial: verdict.serial, notAfterMs: verdict.notAfter };
  if (verdict.foreign === true) {
    const spiffeId = formatWorkloadId(verdict.id);
    const nowhere = { namespace: '', serviceAccount: '', cluster: '', root: null };
    return { ok: true, spiffeId, principal: spiffeId.slice('spiffe://'.length), foreign: true, ...nowhere, ...common };
  }
  const { spiffeId, cluster, root = null } = verdict;
  const { namespace, serviceAccount } = spiffeId;
  const named = { spiffeId: formatSpiffeId(spiffeId), principal: principalOf(spiffeId), namespace, serviceAccount, cluster };
  return { ok: true, ...named, foreign: false, root, ...common };
}

export function mutate(vector: PeerVector, bundle: TrustBundle, now: number, certificate: number, xor: number): Mutations {
  const reasons: string[] = [];
  const whole = bytesOf(vector.chain[certificate] ?? '');
  const verdicts = [...whole.keys()].map((at) => {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ xor;
    const verdict = judge(vector.chain.with(certificate, hexOf(changed)), bundle, now, vector.expectation);
    const reason = verdict.ok ? '' : verdict.reason;
    if (!reasons.includes(reason)) reasons.push(reason);
    return reasons.indexOf(reason);
  });
  return { of: vector.name, certificate, xor, reasons, verdicts };
}
