import type { ClusterTable } from '../engine/index.ts';
import type { EndpointState } from '../state/index.ts';
import type { Target, Upstream, UpstreamCall, UpstreamRequest } from './upstream.ts';

/** HTTP/2 to clusters that speak it, or are asked for it (h2Upgrade); WebSockets go by HTTP/1.1 alone. */
export class UpstreamByProtocol implements Upstream {
  readonly #http1: Upstream;
  readonly #http2: Upstream;

  constructor(http1: Upstream, http2: Upstream) {
    this.#http1 = http1;
    this.#http2 = http2;
  }

  send(target: Target, request: UpstreamRequest): UpstreamCall {
    const upstream = speaksHttp2(target.cluster) && !request.upgrade ? this.#http2 : this.#http1;
    return upstream.send(target, request);
  }

  isReady(cluster: ClusterTable, endpoint: EndpointState): boolean {
    return (speaksHttp2(cluster) ? this.#http2 : this.#http1).isReady(cluster, endpoint);
  }

  close(): void {
    this.#http1.close();
    this.#http2.close();
  }
}

function speaksHttp2({ protocol = 'http', traffic }: ClusterTable): boolean {
  if (protocol === 'http') return traffic?.connections?.h2Upgrade === true;
  return protocol === 'http2' || protocol === 'grpc';
}
