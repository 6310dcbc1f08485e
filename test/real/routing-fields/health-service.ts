import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** grpc.health.v1.Health/Check: NOT_SERVING for the services that are named, SERVING for all others. */
export function isServing(request: Http2ServerRequest, response: Http2ServerResponse, except: readonly string[]): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    // Five bytes of gRPC, then one string field of fewer than 128 bytes, if any.
    const service = Buffer.concat(chunks).subarray(7).toString();
    response.writeHead(200, { 'content-type': 'application/grpc' });
    response.write(Buffer.from([0, 0, 0, 0, 2, 8, except.includes(service) ? 2 : 1]));
    response.addTrailers({ 'grpc-status': '0' });
    response.end();
  });
}
