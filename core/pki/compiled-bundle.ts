import type { TrustBundle } from './bundle.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { rootFault, signedBy } from './path.ts';

export interface CompiledBundle {
  readonly trustDomain: string;
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly denied: ReadonlySet<string>;
  /** Certificates that a root was found to have signed, by their DER: one signature less to check for the next peer of that cluster. */
  readonly anchored: Map<string, Anchored>;
}

export interface Anchored {
  readonly certificate: Certificate;
  readonly root: Certificate;
}

/** Clusters, times their rotations. Only what a root signed gets in, so that nobody else can fill it. */
const maxAnchored = 1_024;

/** Bundles are immutable, so each is read once however many peers are verified against it. */
const compiled = new WeakMap<TrustBundle, CompiledBundle>();

/** Entries that do not parse, and roots that are not signing certificates, are left out: they vouch for nobody. */
export function compileBundle(bundle: TrustBundle): CompiledBundle {
  const known = compiled.get(bundle);
  if (known !== undefined) return known;
  const made: CompiledBundle = {
    trustDomain: bundle.trustDomain,
    roots: certificates(bundle.roots).filter((root) => rootFault(root) === undefined),
    intermediates: certificates(bundle.intermediates.map((entry) => entry.certificate)),
    denied: new Set(bundle.deniedSerials),
    anchored: new Map(),
  };
  compiled.set(bundle, made);
  return made;
}

const readBefore = new WeakMap<readonly Uint8Array[], readonly Certificate[]>();

/** Those that parse; read once for each list, which is immutable as its bundle is. */
export function certificatesOf(ders: readonly Uint8Array[]): readonly Certificate[] {
  const known = readBefore.get(ders) ?? certificates(ders);
  readBefore.set(ders, known);
  return known;
}

function certificates(ders: readonly Uint8Array[]): Certificate[] {
  return ders.flatMap((der) => {
    const parsed = parseCertificate(der);
    return parsed.ok ? [parsed.value] : [];
  });
}

/** The candidate and the root that signed it; undefined when none did. Says nothing about time, use or constraints. */
export function anchor(bundle: CompiledBundle, candidate: Certificate): Anchored | undefined {
  const key = candidate.der.toString('latin1');
  const known = bundle.anchored.get(key);
  if (known !== undefined) return known;
  const root = bundle.roots.find((each) => signedBy(candidate, each));
  if (root === undefined) return undefined;
  const found = { certificate: candidate, root };
  if (bundle.anchored.size < maxAnchored) bundle.anchored.set(key, found);
  return found;
}
