import { after } from '../../core/timer.ts';
import type { RetryPolicy } from '../../core/traffic/index.ts';
import { Attempts, type AttemptsContext, type CalledBy, type ClusterTable, calledBy, type ResponseFlag } from '../engine/index.ts';
import { backoffMs, isRetriable } from '../routing/index.ts';
import type { EndpointState } from '../state/index.ts';
import type { ForwardParts } from './contract.ts';
import { isIdempotent } from './idempotent.ts';
import { failureReply, type LocalReply, noEndpointReply, overflowReply } from './local-reply.ts';
import type { ReplayBody } from './replay-body.ts';
import { asFailure, discard, tryEnd } from './try-end.ts';
import type { SendFailure, SendOutcome, UpstreamCall, UpstreamRequest } from './upstream.ts';

export interface TriesRequest {
  readonly cluster: ClusterTable;
  readonly send: UpstreamRequest;
  readonly body: ReplayBody;
  readonly by: CalledBy;
  /** Absent: what no application has seen, or may see twice, is sent elsewhere, at once. */
  readonly retries: RetryPolicy | undefined;
  readonly hash: string | undefined;
  /** From the caller's own proxy: only there, or each proxy on the way would multiply the tries, a lone endpoint is asked again by default. */
  readonly first: boolean;
}

export type TriesEnd =
  | { readonly kind: 'reply'; readonly reply: LocalReply }
  | { readonly kind: 'answer'; readonly outcome: Exclude<SendOutcome, SendFailure>; readonly flags: readonly ResponseFlag[] };

type Verdict = 'retry' | 'no' | 'exhausted' | 'overflow';

/** One request on its way: sent to one endpoint after another as far as its policy, method and body allow. */
export class Tries {
  readonly #parts: ForwardParts;
  readonly #request: TriesRequest;
  readonly #attempts: Attempts;
  endpoint: EndpointState | undefined;
  readonly #asked = new Set<EndpointState>();
  #call: UpstreamCall | undefined;
  /** Has no outcome yet. */
  #awaited: UpstreamCall | undefined;
  #admitted = false;
  #retrying = false;
  #over = false;
  #tryTimedOut = false;
  /** Ends a pause or a timer of the try under way. */
  #wake: (() => void) | undefined;

  constructor(parts: ForwardParts, request: TriesRequest) {
    this.#parts = parts;
    this.#request = request;
    const { cluster, retries, hash, first } = request;
    const max = retries === undefined ? parts.limits.maxAttempts : retries.attempts + 1;
    const isReady = (endpoint: EndpointState) => parts.upstream.isReady(cluster, endpoint);
    this.#attempts = new Attempts(parts.balancer, cluster, max, { ...attemptsContext(retries, hash, first), isReady });
  }

  get count(): number {
    return this.#attempts.count;
  }

  /** Undefined: `end` was called before. Never rejects. */
  async run(): Promise<TriesEnd | undefined> {
    const { cluster, body, retries } = this.#request;
    if (!this.#parts.budgets.enter(cluster)) return { kind: 'reply', reply: overflowReply };
    this.#admitted = true;
    let reply = noEndpointReply;
    for (let endpoint = this.#next(); endpoint !== undefined; endpoint = this.#next()) {
      const outcome = await this.#once(endpoint);
      if (this.#over) return undefined;
      const verdict = this.#judge(endpoint, outcome);
      if (outcome.kind === 'failed') {
        const failure = this.#tryTimedOut ? 'try-timeout' : outcome.failure;
        const flags: ResponseFlag[] = verdict === 'overflow' ? ['UO'] : [];
        const exhausted = retries === undefined ? this.count > 1 : verdict === 'exhausted';
        const failed = failureReply(failure, outcome.reason, exhausted);
        reply = { ...failed, flags: [...failed.flags, ...flags] };
      } else if (verdict !== 'retry') {
        return { kind: 'answer', outcome, flags: verdict === 'exhausted' ? ['URX'] : verdict === 'overflow' ? ['UO'] : [] };
      } else discard(outcome, this.#call, body);
      body.detach();
      if (verdict !== 'retry') break;
      if (!(await this.#pause())) return undefined;
    }
    return { kind: 'reply', reply };
  }

  /** Gives up what is under way, or lets go of what has ended. Idempotent. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#wake?.();
    this.#call?.cancel();
    this.#attempts.end();
    if (this.#retrying) this.#parts.budgets.leaveRetry(this.#request.cluster);
    if (this.#admitted) this.#parts.budgets.leave(this.#request.cluster);
  }

  #next(): EndpointState | undefined {
    const endpoint = this.#attempts.next(this.#parts.tables().ejected);
    if (endpoint !== undefined) this.endpoint = endpoint;
    return endpoint;
  }

  /** A connection that had been idle may have been closed under us: its endpoint is asked once more. */
  async #once(endpoint: EndpointState, again = false): Promise<SendOutcome> {
    const { cluster, send, body, retries, by } = this.#request;
    // Only there: what stands to another endpoint is as good as for a first try, and a site that takes over a lost one's requests has no time for so many handshakes.
    const fresh = again || this.#asked.has(endpoint);
    this.#asked.add(endpoint);
    this.#tryTimedOut = false;
    const call = this.#parts.upstream.send(
      { cluster, endpoint: calledBy(endpoint, cluster, by), fresh, repeatable: isIdempotent(send.method) },
      send,
    );
    this.#call = call;
    this.#awaited = call;
    this.#limitTry(call, retries?.perTryTimeoutMs ?? 0);
    const outcome = await call.outcome;
    this.#awaited = undefined;
    this.#wake?.();
    this.#wake = undefined;
    if (this.#over || outcome.kind !== 'failed' || !outcome.stale || this.#tryTimedOut || !this.#maySendAgain(outcome)) return outcome;
    body.detach();
    return this.#once(endpoint, true);
  }

  /** From when the request is whole. */
  #limitTry(call: UpstreamCall, ms: number): void {
    if (ms <= 0) return;
    this.#request.body.whenEnded(() => {
      if (this.#awaited !== call || this.#over) return;
      this.#wake = after(this.#parts.clock, ms, () => {
        this.#tryTimedOut = true;
        call.cancel();
      });
    });
  }

  #judge(endpoint: EndpointState, outcome: SendOutcome): Verdict {
    const { cluster, retries, body, send } = this.#request;
    // Nobody was asked, and every other endpoint of the cluster is bound by the same limits, or would be sent the same.
    if (outcome.kind === 'failed' && (outcome.failure === 'overflow' || outcome.failure === 'unsendable')) return 'no';
    const result = outcome.kind === 'failed' ? asFailure(outcome, this.#tryTimedOut) : 'ok';
    this.#parts.onAttempt({ clusterName: cluster.name, endpoint, result });
    if (result !== 'ok') this.#attempts.failed(endpoint, result);
    if (retries === undefined) return outcome.kind === 'failed' && this.#maySendAgain(outcome) ? 'retry' : 'no';
    if (retries.attempts === 0 || !isRetriable(retries, tryEnd(outcome, this.#tryTimedOut))) return 'no';
    if (!body.replayable || (send.upgrade && outcome.kind !== 'failed')) return 'no';
    if (this.count > retries.attempts) return 'exhausted';
    if (this.#retrying) this.#parts.budgets.leaveRetry(cluster);
    this.#retrying = this.#parts.budgets.enterRetry(cluster);
    return this.#retrying ? 'retry' : 'overflow';
  }

  #maySendAgain(failure: SendFailure): boolean {
    const { body, send } = this.#request;
    if (!body.replayable || send.upgrade) return !failure.delivered && body.bytes === 0;
    return !failure.delivered || isIdempotent(send.method);
  }

  /** False: given up meanwhile. */
  async #pause(): Promise<boolean> {
    const { retries } = this.#request;
    if (retries === undefined) return true;
    const ms = backoffMs(retries, this.count, this.#parts.random());
    await new Promise<void>((resolve) => {
      const stop = after(this.#parts.clock, ms, resolve);
      this.#wake = () => {
        stop();
        resolve();
      };
    });
    this.#wake = undefined;
    return !this.#over;
  }
}

function attemptsContext(retries: RetryPolicy | undefined, hash: string | undefined, first: boolean): AttemptsContext {
  const key = hash === undefined ? {} : { hash };
  if (retries === undefined) return first ? { ...key, revisit: 'broken-off' } : key;
  const { otherLocalities, ignorePreviousHosts } = retries;
  return { ...key, revisit: ignorePreviousHosts === false ? 'always' : 'last', ...(otherLocalities === true ? { otherLocalities } : {}) };
}
