import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { toMeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { IngressTls } from '../engine/index.ts';
import { type ReadCertificate, readCertificate } from './read-certificate.ts';
import type { ServerTls } from './rules.ts';

export interface CertificatesOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Some that are in use are other ones now. */
  readonly onChange: () => void;
}

export interface CertificateStatus {
  readonly certFile: string;
  /** Unix ms; absent: none is in use. */
  readonly notAfter?: number;
  /** Why the files as they are now cannot be used; what was read before is used on. */
  readonly problem?: string;
}

interface Entry {
  readonly wanted: ServerTls;
  /** Of the files, when they were last read. */
  stamp: string;
  inUse: ReadCertificate | undefined;
  problem: string | undefined;
}

const lookMs = 1_000;

/**
 * Certificates of people's own, from files that are looked at every second and read again when they are other ones. Folders need
 * not be watched that way, which fails on mounts and past symbolic links. A pair is used when it can be; until then the one before is.
 */
export class Certificates {
  readonly #options: CertificatesOptions;
  #entries: ReadonlyMap<string, Entry> = new Map();

  constructor(options: CertificatesOptions) {
    this.#options = options;
  }

  /** All that are needed from now on; resolves when those that are new were read, or could not be. Not before the last call has resolved. */
  async want(all: readonly ServerTls[]): Promise<void> {
    const next = new Map<string, Entry>();
    for (const wanted of all) {
      const key = keyOf(wanted);
      const entry = this.#entries.get(key) ?? { wanted, stamp: '', inUse: undefined, problem: undefined };
      next.set(key, entry);
      if (entry.stamp === '') await this.#look(entry);
    }
    this.#entries = next;
  }

  find(tls: ServerTls): IngressTls | undefined {
    return this.#entries.get(keyOf(tls))?.inUse?.tls;
  }

  status(): readonly CertificateStatus[] {
    return [...this.#entries.values()].map(({ wanted, inUse, problem }) => ({
      certFile: wanted.certFile,
      ...(inUse === undefined ? {} : { notAfter: inUse.notAfter }),
      ...(problem === undefined ? {} : { problem }),
    }));
  }

  /** Looks until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(lookMs, signal).catch(() => undefined);
      let changed = false;
      for (const entry of signal.aborted ? [] : this.#entries.values()) changed = (await this.#look(entry)) || changed;
      if (changed && !signal.aborted) this.#options.onChange();
    }
  }

  /** True: another one is in use now. */
  async #look(entry: Entry): Promise<boolean> {
    const { wanted } = entry;
    const stamp = await stampOf(wanted);
    if (stamp === entry.stamp) return false;
    const before = entry.problem;
    entry.stamp = stamp;
    try {
      entry.inUse = await readCertificate(wanted);
      entry.problem = undefined;
      this.#options.log.info({ certFile: wanted.certFile, notAfter: new Date(entry.inUse.notAfter).toISOString() }, 'certificate in use');
      return true;
    } catch (error) {
      entry.problem = toMeshError(error).message;
      if (entry.problem !== before) {
        const kept = entry.inUse === undefined ? 'its server takes nobody' : 'the one before is used on';
        this.#options.log.error({ certFile: wanted.certFile, reason: entry.problem }, `certificate not usable: ${kept}`);
      }
      return false;
    }
  }
}

function keyOf({ certFile, keyFile, caFile = '', mode, minVersion, alpn }: ServerTls): string {
  return JSON.stringify([certFile, keyFile, caFile, mode, minVersion, alpn]);
}

/** Other files, or other content, have another stamp. Never empty. */
async function stampOf({ certFile, keyFile, caFile }: ServerTls): Promise<string> {
  const files = [certFile, keyFile, ...(caFile === undefined ? [] : [caFile])];
  const stats = await Promise.all(files.map((file) => stat(file, { bigint: true }).catch((): BigIntStats | undefined => undefined)));
  return stats.map((s) => (s === undefined ? 'none' : `${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}:${s.ctimeNs}`)).join(' ');
}
