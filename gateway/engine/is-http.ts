import type { Protocol } from '../../core/model/index.ts';

const http: ReadonlySet<Protocol> = new Set(['http', 'http2', 'grpc']);

/** Requests are seen, and not only bytes. */
export function isHttp(protocol: Protocol): boolean {
  return http.has(protocol);
}
