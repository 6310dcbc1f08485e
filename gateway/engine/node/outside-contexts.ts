import { stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Clock } from '../../../core/clock.ts';
import { MeshError, toMeshError } from '../../../core/errors.ts';
import { type OutsideTls, systemCaFile } from '../../../core/traffic/index.ts';
import { readKeyPem, readPem } from '../../pem-files.ts';

type Files = Pick<OutsideTls, 'mode' | 'caFile' | 'certFile' | 'keyFile' | 'insecureSkipVerify'>;

interface Entry {
  /** Of the files, when they were last read. */
  stamp: string;
  context: SecureContext | undefined;
  /** Monotonic ms. */
  lookedAt: number;
  looking: Promise<void> | undefined;
}

/** Certificates are replaced once in months; a second later is soon enough. */
const lookMs = 1_000;
/** Each is a few files that an operator named; the oldest goes. */
const maxEntries = 256;

/**
 * TLS to what is outside the mesh, by files, which are read again when they are other ones. What cannot be read leaves what was read
 * before in use.
 */
export class OutsideContexts {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects with MeshError CONFIG_INVALID when the files cannot be used, and never could. */
  async get(tls: OutsideTls): Promise<SecureContext> {
    const key = JSON.stringify([tls.mode, tls.caFile, tls.certFile, tls.keyFile, tls.insecureSkipVerify]);
    const entry = this.#entries.get(key) ?? { stamp: '', context: undefined, lookedAt: Number.NEGATIVE_INFINITY, looking: undefined };
    if (!this.#entries.has(key)) {
      const [oldest] = this.#entries.size >= maxEntries ? this.#entries.keys() : [];
      if (oldest !== undefined) this.#entries.delete(oldest);
      this.#entries.set(key, entry);
    }
    if (entry.context === undefined || this.#clock.monotonic() - entry.lookedAt >= lookMs) {
      entry.looking ??= this.#look(entry, tls).finally(() => {
        entry.looking = undefined;
      });
      await entry.looking;
    }
    if (entry.context === undefined) throw new MeshError('CONFIG_INVALID', 'its files could not be read');
    return entry.context;
  }

  async #look(entry: Entry, tls: Files): Promise<void> {
    entry.lookedAt = this.#clock.monotonic();
    const stamp = await stampOf(tls);
    if (stamp === entry.stamp && entry.context !== undefined) return;
    try {
      entry.context = await read(tls);
      entry.stamp = stamp;
    } catch (error) {
      if (entry.context === undefined) throw toMeshError(error);
    }
  }
}

async function read({ mode, caFile, certFile, keyFile, insecureSkipVerify }: Files): Promise<SecureContext> {
  const own = mode === 'mutual' && certFile !== undefined && keyFile !== undefined;
  const ca = insecureSkipVerify === true ? undefined : caFile === undefined ? await systemCa() : await readPem(caFile);
  const pair = own ? { cert: await readPem(certFile), key: await readKeyPem(keyFile) } : {};
  try {
    return createSecureContext({ minVersion: 'TLSv1.2', ...pair, ...(ca === undefined ? {} : { ca }) });
  } catch {
    // Not in OpenSSL's words, which may hold what is in the files.
    throw new MeshError('CONFIG_INVALID', `TLS does not take ${[caFile, certFile, keyFile].filter((f) => f !== undefined).join(', ')}`);
  }
}

/** Elsewhere than where Envoy looks: what Node brings. */
function systemCa(): Promise<string | undefined> {
  return readPem(systemCaFile).catch(() => undefined);
}

/** Other files, or other content, have another stamp. Never empty. */
async function stampOf({ caFile = systemCaFile, certFile = '', keyFile = '' }: Files): Promise<string> {
  const stats = await Promise.all([caFile, certFile, keyFile].map((file) => stat(file, { bigint: true }).catch(() => undefined)));
  return stats.map((s) => (s === undefined ? 'none' : `${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}:${s.ctimeNs}`)).join(' ');
}
