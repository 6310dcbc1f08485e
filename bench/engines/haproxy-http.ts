import type { HttpPlan } from './contract.ts';

/** The rules of http-rules.ts as HAProxy has them; connections to the origin are shared by all callers, as the others' are. */
export function haproxyHttp(version: HttpPlan['version'], port: number, originPort: number): string {
  const protocol = version === 'http2' ? ' proto h2' : '';
  return `frontend in
  mode http
  bind 127.0.0.1:${port} backlog 4096${protocol}
  option forwardfor
  unique-id-format %[uuid]
  unique-id-header x-request-id
  use_backend out if { req.hdr(x-canary) -m str yes }
  http-request deny deny_status 403 if { path /admin }
  http-request deny deny_status 410 if { path /old } or { path_beg /old/ }
  http-request set-header x-route default
  default_backend out
backend out
  mode http
  http-reuse always
  server s 127.0.0.1:${originPort}${protocol}
`;
}
