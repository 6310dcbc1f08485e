import type { AttemptFailure, ResponseFlag } from '../engine/index.ts';

/** An answer that we give ourselves, in Envoy's words where it has some. */
export interface LocalReply {
  readonly status: number;
  readonly body: string;
  readonly flags: readonly ResponseFlag[];
  readonly detail: string;
}

export const deniedReply = (detail: string): LocalReply => ({ status: 403, body: 'RBAC: access denied', flags: [], detail });

export const badRequestReply = (status: number, detail: string): LocalReply => ({
  status,
  body: detail.replaceAll('_', ' '),
  flags: ['DPE'],
  detail,
});

export const noClusterReply: LocalReply = { status: 503, body: 'no such service here', flags: ['NC'], detail: 'cluster_not_found' };

export const noEndpointReply: LocalReply = { status: 503, body: 'no healthy upstream', flags: ['UH'], detail: 'no_healthy_upstream' };

export const idleReply: LocalReply = { status: 504, body: 'stream timeout', flags: ['SI'], detail: 'stream_idle_timeout' };

/** `exhausted`: more than one endpoint was tried. */
export function failureReply(failure: RequestFailure, reason: string, exhausted: boolean): LocalReply {
  const also: ResponseFlag[] = exhausted ? ['URX'] : [];
  if (failure === 'protocol') {
    return {
      status: 502,
      body: 'upstream connect error or disconnect/reset before headers. reset reason: protocol error',
      flags: ['UPE', ...also],
      detail: `upstream_reset_before_response_started{${reason}}`,
    };
  }
  const connected = failure === 'early-close';
  const words = connected ? 'connection termination' : 'remote connection failure';
  return {
    status: 503,
    body: `upstream connect error or disconnect/reset before headers. reset reason: ${words}`,
    flags: [connected ? 'UC' : 'UF', ...also],
    detail: `upstream_reset_before_response_started{${reason}}`,
  };
}

/** `protocol`: what came back is no HTTP. */
export type RequestFailure = AttemptFailure | 'protocol';
