import type { Clock } from '../../../core/clock.ts';
import { toMeshError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import { fingerprintOf, parseCsr, sha256Hex } from '../../../core/pki/index.ts';
import type { Authority } from '../authority.ts';
import { signIntermediate } from '../root.ts';

/** From one signature to the next for the same peer. */
const paceMs = 1_000;

interface Signed {
  readonly key: string;
  readonly root: string;
  readonly der: Buffer;
  readonly at: number;
}

/**
 * Signing certificates for peers that ask for one, where the root is online: a peer's stream proves which cluster it is, and what is signed
 * speaks for that cluster alone. The same answer to the same question. In memory: after a restart a peer that still asks is answered anew.
 */
export class PeerSigning {
  readonly #options: { readonly authority: Authority; readonly ttlMs: number; readonly clock: Clock; readonly log: Log };
  readonly #signed = new Map<string, Signed>();

  constructor(options: { readonly authority: Authority; readonly ttlMs: number; readonly clock: Clock; readonly log: Log }) {
    this.#options = options;
  }

  /** `requests`: PKCS#10 by cluster, of peers that ask now. Returns the answers. */
  answer(requests: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
    for (const cluster of this.#signed.keys()) if (!requests.has(cluster)) this.#signed.delete(cluster);
    for (const [cluster, request] of requests) this.#sign(cluster, request);
    return new Map([...this.#signed].map(([cluster, { der }]) => [cluster, der]));
  }

  #sign(cluster: string, request: Uint8Array): void {
    const { authority, ttlMs, clock, log } = this.#options;
    const root = authority.signer;
    const parsed = parseCsr(request);
    if (root === undefined || !parsed.ok) {
      this.#signed.delete(cluster);
      return;
    }
    const key = sha256Hex(parsed.value.spki);
    const before = this.#signed.get(cluster);
    const over = fingerprintOf(root.certificate);
    if (before !== undefined && ((before.key === key && before.root === over) || clock.monotonic() - before.at < paceMs)) return;
    try {
      const certificate = signIntermediate(root, request, cluster, clock.now(), ttlMs);
      this.#signed.set(cluster, { key, root: over, der: certificate.der, at: clock.monotonic() });
      log.info({ peer: cluster, serial: certificate.serial, notAfter: certificate.notAfter }, 'signed the signing certificate of a peer');
    } catch (error) {
      this.#signed.delete(cluster);
      log.warn({ peer: cluster, reason: toMeshError(error).message }, 'a request of a peer was refused');
    }
  }
}
