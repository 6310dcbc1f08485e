import type { Readable } from 'node:stream';
import type { ClusterRef, Mirror } from '../../core/traffic/index.ts';
import { Attempts } from '../engine/index.ts';
import { hits, portAt } from '../routing/index.ts';
import type { ForwardParts } from './contract.ts';
import type { BodySink, RequestBody } from './message.ts';
import type { ReplayBody } from './replay-body.ts';
import { after } from './timer.ts';
import type { UpstreamRequest } from './upstream.ts';

/** Of one copy, where its route names no time. */
const mirrorTimeoutMs = 15_000;

/** Sends copies of a request, once it is whole, and forgets what becomes of them. Bodies over the replay limit are not mirrored. */
export function sendMirrors(
  parts: ForwardParts,
  mirrors: readonly Mirror<ClusterRef>[],
  request: UpstreamRequest,
  body: ReplayBody,
  timeoutMs: number,
): void {
  const chosen = mirrors.filter(({ percent }) => percent > 0 && hits(percent, parts.random()));
  if (chosen.length === 0 || request.upgrade) return;
  body.whenEnded(() => {
    const { kept } = body;
    if (kept === undefined) return;
    for (const { destination } of chosen) void sendCopy(parts, destination.cluster, request, new WholeBody(kept), timeoutMs);
  });
}

async function sendCopy(
  parts: ForwardParts,
  clusterName: string,
  request: UpstreamRequest,
  body: RequestBody,
  timeoutMs: number,
): Promise<void> {
  const { clusters, ejected } = parts.tables();
  const cluster = clusters.get(clusterName);
  if (cluster === undefined || !parts.budgets.enterCopy(cluster)) return;
  const attempts = new Attempts(parts.balancer, cluster, 1);
  const endpoint = attempts.next(ejected);
  if (endpoint !== undefined) {
    parts.onCopy(clusterName);
    const copy = { ...request, body, authority: shadowed(request.authority), onBytes: () => {}, onContinue: () => {} };
    const call = parts.upstream.send({ cluster, endpoint, fresh: false, repeatable: false }, copy);
    const stop = after(parts.clock, timeoutMs > 0 ? timeoutMs : mirrorTimeoutMs, () => call.cancel());
    const outcome = await call.outcome;
    if (outcome.kind === 'response') await readOut(outcome.body.stream);
    stop();
    call.cancel();
  }
  attempts.end();
  parts.budgets.leaveCopy(cluster);
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

/** Known from its beginning to its end. */
class WholeBody implements RequestBody {
  readonly #chunks: readonly Buffer[];

  constructor(chunks: readonly Buffer[]) {
    this.#chunks = chunks;
  }

  sendTo(sink: BodySink): void {
    for (const chunk of this.#chunks) sink.write(chunk);
    sink.end([]);
  }
}
