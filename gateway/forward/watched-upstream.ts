import { type ClusterTable, ejectionKey } from '../engine/index.ts';
import type { EndpointState } from '../state/index.ts';
import type { SendOutcome, Target, Upstream, UpstreamCall, UpstreamRequest } from './upstream.ts';

/** Who wants to know that answers are waited for, of whom, and which come. */
export interface Watcher {
  readonly ejected: ReadonlySet<string>;
  /** The returned function, idempotent: it begins, or nobody waits any more. */
  asked(endpoint: EndpointState): () => void;
  answered(clusterName: string, endpoint: EndpointState, status: number): void;
}

/** An upstream whose silence is noticed, and whose answers are judged. */
export class WatchedUpstream implements Upstream {
  readonly #inner: Upstream;
  readonly #watcher: Watcher;

  constructor(inner: Upstream, watcher: Watcher) {
    this.#inner = inner;
    this.#watcher = watcher;
  }

  send(target: Target, request: UpstreamRequest): UpstreamCall {
    const answered = this.#watcher.asked(target.endpoint);
    const call = this.#inner.send(target, request);
    const outcome = call.outcome.then((result) => {
      answered();
      if (result.kind === 'response') this.#watcher.answered(target.cluster.name, target.endpoint, result.head.status);
      return this.#judged(target, result);
    });
    return { outcome, cancel: () => call.cancel() };
  }

  isReady(cluster: ClusterTable, endpoint: EndpointState): boolean {
    return this.#inner.isReady(cluster, endpoint);
  }

  close(): void {
    this.#inner.close();
  }

  /** A connection that we closed, because its endpoint has vanished, is no reason to ask the same endpoint by another. */
  #judged({ cluster, endpoint }: Target, outcome: SendOutcome): SendOutcome {
    if (outcome.kind !== 'failed' || !outcome.stale || !this.#watcher.ejected.has(ejectionKey(cluster.name, endpoint))) return outcome;
    return { ...outcome, stale: false };
  }
}
