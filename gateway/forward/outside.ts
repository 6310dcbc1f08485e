import { clientCertHeader, localOriginHeader } from './headers.ts';
import type { RequestHead } from './message.ts';

const proxiesOnly: ReadonlySet<string> = new Set([clientCertHeader, localOriginHeader, 'x-forwarded-proto']);

/**
 * A request as far as its caller is believed. Of one from outside the mesh, which came by `scheme`, that is what it says without
 * the headers that only proxies may set (those that an Envoy at the edge sanitises). Pure.
 */
export function believed(request: RequestHead, scheme: RequestHead['scheme'] | undefined): RequestHead {
  if (scheme === undefined) return request;
  const headers: string[] = [];
  for (let i = 0; i + 1 < request.headers.length; i += 2) {
    const name = request.headers[i] ?? '';
    if (!proxiesOnly.has(name) && !name.startsWith('x-envoy-')) headers.push(name, request.headers[i + 1] ?? '');
  }
  headers.push('x-forwarded-proto', scheme);
  return { ...request, scheme, headers };
}
