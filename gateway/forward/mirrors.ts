import type { Readable } from 'node:stream';
import { after } from '../../core/timer.ts';
import type { ClusterRef, Mirror } from '../../core/traffic/index.ts';
import { Attempts } from '../engine/index.ts';
import { hits, portAt } from '../routing/index.ts';
import type { ForwardParts } from './contract.ts';
import { CopyBody } from './copy-body.ts';
import type { ReplayBody } from './replay-body.ts';
import type { UpstreamCall, UpstreamRequest } from './upstream.ts';

/** Of one copy from its body's end, where its route names no time. */
const mirrorTimeoutMs = 15_000;
/** Of one copy; as much as Envoy keeps. */
const maxQueuedBytes = 1_048_576;

/**
 * Sends copies of a request, and forgets what becomes of them. Up to the replay limit a body is sent once it is whole; a longer one as it
 * comes, as long as the mirror takes it.
 */
export function sendMirrors(
  parts: ForwardParts,
  mirrors: readonly Mirror<ClusterRef>[],
  request: UpstreamRequest,
  body: ReplayBody,
  timeoutMs: number,
): void {
  if (request.upgrade) return;
  for (const { percent, destination } of mirrors) {
    if (percent > 0 && hits(percent, parts.random())) new Copy(parts, destination.cluster, timeoutMs).follow(request, body);
  }
}

/** One request to one mirror. */
class Copy {
  readonly #parts: ForwardParts;
  readonly #clusterName: string;
  readonly #timeoutMs: number;
  #ended = false;
  #call: UpstreamCall | undefined;
  #stopTimer: (() => void) | undefined;

  constructor(parts: ForwardParts, clusterName: string, timeoutMs: number) {
    this.#parts = parts;
    this.#clusterName = clusterName;
    this.#timeoutMs = timeoutMs > 0 ? timeoutMs : mirrorTimeoutMs;
  }

  follow(request: UpstreamRequest, source: ReplayBody): void {
    const body = new CopyBody({
      beginAtBytes: this.#parts.limits.maxReplayBytes,
      maxQueuedBytes,
      onBegin: () => void this.#send(request, body),
      onEnded: () => {
        this.#ended = true;
        this.#time();
      },
      onGivenUp: (slow) => {
        if (slow) this.#parts.onCopyDropped(this.#clusterName);
        this.#call?.cancel();
      },
    });
    source.follow(body);
  }

  async #send(request: UpstreamRequest, body: CopyBody): Promise<void> {
    const parts = this.#parts;
    const { clusters, ejected } = parts.tables();
    const cluster = clusters.get(this.#clusterName);
    if (cluster === undefined) return body.forget();
    if (!parts.budgets.enterCopy(cluster)) {
      parts.onCopyDropped(this.#clusterName);
      return body.forget();
    }
    const attempts = new Attempts(parts.balancer, cluster, 1);
    const endpoint = attempts.next(ejected);
    if (endpoint !== undefined) {
      parts.onCopy(this.#clusterName);
      const copy = { ...request, body, authority: shadowed(request.authority), onBytes: () => {}, onContinue: () => {} };
      const call = parts.upstream.send({ cluster, endpoint, fresh: false, repeatable: false }, copy);
      this.#call = call;
      this.#time();
      const outcome = await call.outcome;
      if (outcome.kind === 'response') await readOut(outcome.body.stream);
      this.#stopTimer?.();
      this.#call = undefined;
      call.cancel();
    }
    body.forget();
    attempts.end();
    parts.budgets.leaveCopy(cluster);
  }

  /** From when both are there, the whole of the body and the call. */
  #time(): void {
    const call = this.#call;
    if (this.#ended && call !== undefined) this.#stopTimer = after(this.#parts.clock, this.#timeoutMs, () => call.cancel());
  }
}

function readOut(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream
      .on('error', () => {})
      .once('close', resolve)
      .resume();
  });
}

/** `-shadow` before the port, as Envoy says that a request is a copy. */
function shadowed(authority: string): string {
  const colon = portAt(authority);
  return colon < 0 ? `${authority}-shadow` : `${authority.slice(0, colon)}-shadow${authority.slice(colon)}`;
}
