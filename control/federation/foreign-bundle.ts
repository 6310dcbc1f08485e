import { parseCertificate, type TrustBundle } from '../../core/pki/index.ts';
import { parseBundle, type SpiffeBundle } from './bundle-document.ts';

/** What is kept of another trust domain, in the store: the last good bundle however long its endpoint is gone. */
export interface KeptBundle {
  /** As it was fetched, or read from `bundleFile`. */
  readonly document: string;
  /** Unix ms; of the last time that somebody said it is so. */
  readonly confirmedAt: number;
  readonly etag: string;
  /** SHA-256 of the `bundleFile` that it began with; empty: of none. */
  readonly seed: string;
}

export interface ForeignBundle {
  readonly kept: KeptBundle;
  readonly bundle: SpiffeBundle;
  readonly trust: TrustBundle;
}

/** Undefined for bytes that are none of ours. */
export function readKept(trustDomain: string, bytes: Uint8Array): ForeignBundle | undefined {
  try {
    const { document, confirmedAt, etag, seed } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<KeptBundle>;
    if (typeof document !== 'string' || typeof confirmedAt !== 'number') return undefined;
    const made = foreignBundle(trustDomain, { document, confirmedAt, etag: etag ?? '', seed: seed ?? '' });
    return typeof made === 'string' ? undefined : made;
  } catch {
    return undefined;
  }
}

/** A text: why it is none. */
export function foreignBundle(trustDomain: string, kept: KeptBundle): ForeignBundle | string {
  const parsed = parseBundle(kept.document);
  if (!parsed.ok) return parsed.violations.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  const stranger = domainNamed(parsed.value);
  if (stranger !== undefined && stranger !== trustDomain) return `is of trust domain ${stranger}`;
  const trust: TrustBundle = {
    trustDomain,
    roots: parsed.value.authorities,
    intermediates: [],
    deniedSerials: [],
    federated: true,
    jwtKeys: parsed.value.jwtKeys.map((key) => ({ ...key, cluster: '', notAfterMs: 0, namespaces: ['*'] })),
  };
  return { kept, bundle: parsed.value, trust };
}

/** Why what was fetched does not follow what is known; undefined: it does. */
export function successionFault(known: SpiffeBundle, next: SpiffeBundle): string | undefined {
  if (known.sequence === undefined) return undefined;
  if (next.sequence === undefined) return `says no sequence, where ${known.sequence} is known`;
  return next.sequence < known.sequence ? `has sequence ${next.sequence}, where ${known.sequence} is known` : undefined;
}

/** SPIFFE's bundles do not name their domain, but authorities that are SVIDs themselves do. */
function domainNamed({ authorities }: SpiffeBundle): string | undefined {
  const uris = authorities.flatMap((der) => {
    const certificate = parseCertificate(der);
    return certificate.ok ? (certificate.value.extensions.subjectAltName?.uris ?? []) : [];
  });
  return uris.map((uri) => /^spiffe:\/\/([^/]+)/.exec(uri)?.[1]).find((domain) => domain !== undefined);
}

const bounds = { least: 30_000, usual: 300_000, most: 3_600_000 };

/** Until it is asked for again: what the bundle hints, within bounds, and a tenth of it earlier or later. `random`: [0, 1). */
export function refreshAfterMs({ refreshHintMs = bounds.usual }: Pick<SpiffeBundle, 'refreshHintMs'>, random: number): number {
  return jittered(Math.min(bounds.most, Math.max(bounds.least, refreshHintMs)), random);
}

/** After so many failures in a row, from 1. */
export function retryAfterMs(failures: number, random: number): number {
  return jittered(Math.min(bounds.usual, 2_000 * 2 ** Math.min(failures - 1, 10)), random);
}

function jittered(ms: number, random: number): number {
  return Math.round(ms * (0.9 + 0.2 * random));
}
