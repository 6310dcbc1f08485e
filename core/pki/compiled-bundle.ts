import type { TrustBundle } from './bundle.ts';
import { type Certificate, parseCertificate } from './certificate.ts';

export interface CompiledBundle {
  readonly trustDomain: string;
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly denied: ReadonlySet<string>;
}

/** Bundles are immutable, so each is read once however many peers are verified against it. */
const compiled = new WeakMap<TrustBundle, CompiledBundle>();

/** Entries that do not parse, and roots that are not signing certificates, are left out: they vouch for nobody. */
export function compileBundle(bundle: TrustBundle): CompiledBundle {
  const known = compiled.get(bundle);
  if (known !== undefined) return known;
  const made: CompiledBundle = {
    trustDomain: bundle.trustDomain,
    roots: certificates(bundle.roots).filter((root) => mayBeRoot(root)),
    intermediates: certificates(bundle.intermediates.map((entry) => entry.certificate)),
    denied: new Set(bundle.deniedSerials),
  };
  compiled.set(bundle, made);
  return made;
}

function mayBeRoot({ extensions }: Certificate): boolean {
  const { basicConstraints, keyUsage, nameConstraints, unknownCritical } = extensions;
  const mayDelegate = basicConstraints?.ca === true && basicConstraints.pathLength !== 0 && keyUsage?.keyCertSign !== false;
  return mayDelegate && nameConstraints === undefined && unknownCritical.length === 0;
}

function certificates(ders: readonly Uint8Array[]): Certificate[] {
  return ders.flatMap((der) => {
    const parsed = parseCertificate(der);
    return parsed.ok ? [parsed.value] : [];
  });
}
