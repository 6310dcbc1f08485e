import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { headerOf, localOriginHeader } from './headers.ts';
import type { RequestFailure } from './local-reply.ts';
import type { ReplayBody } from './replay-body.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export interface SendRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: ReplayBody;
  readonly onBytes: () => void;
  /** The upstream wants the body that `Expect: 100-continue` announced. */
  readonly onContinue: () => void;
  /** The caller has gone. */
  readonly signal: AbortSignal;
}

/** `delivered`: an application may have seen the request. */
export type SendOutcome =
  | { readonly kind: 'response'; readonly request: ClientRequest; readonly response: IncomingMessage }
  | {
      readonly kind: 'upgraded';
      readonly request: ClientRequest;
      readonly response: IncomingMessage;
      readonly socket: Duplex;
      readonly head: Buffer;
    }
  | { readonly kind: 'failed'; readonly failure: RequestFailure; readonly reason: string; readonly delivered: boolean };

/** Local-origin answers with these flags say that no application was asked. */
const undelivered: ReadonlySet<string> = new Set(['UF', 'UH', 'NC']);

/** Sends on one connection; resolves when the answer's head is there, or will not come. */
export function sendRequest(connection: UpstreamConnection, send: SendRequest): Promise<SendOutcome> {
  return new Promise((resolve) => {
    const request = httpRequest({
      agent: connection.agent,
      method: send.method,
      path: send.path,
      headers: [...send.headers],
      setHost: false,
    });
    let settled = false;
    const settle = (outcome: SendOutcome) => {
      if (settled) return;
      settled = true;
      // From here the caller's going is seen by who relays the answer.
      send.signal.removeEventListener('abort', onGone);
      if (outcome.kind === 'failed' && outcome.failure === 'aborted') connection.destroy();
      else if (outcome.kind === 'failed') connection.fail();
      resolve(outcome);
    };
    const fail = (failure: RequestFailure, reason: string, delivered = true) => settle({ kind: 'failed', failure, reason, delivered });
    const onGone = () => {
      connection.destroy();
      fail('aborted', 'the caller went away');
    };
    send.signal.addEventListener('abort', onGone, { once: true });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('HPE_') === true) fail('protocol', error.code);
      else fail('early-close', error.code ?? error.message);
    });
    request.on('close', () => fail('early-close', 'closed before an answer'));
    // It was dialled paused, so that nothing was lost before Node's parser listens; now it does.
    request.on('socket', (socket) => socket.resume());
    request.on('continue', send.onContinue);
    request.on('upgrade', (response, socket, head) => settle({ kind: 'upgraded', request, response, socket, head }));
    request.on('response', (response) => {
      const local = connection.endpoint.tls === undefined ? undefined : headerOf(response.rawHeaders, localOriginHeader);
      if (local === undefined || response.statusCode !== 503) return settle({ kind: 'response', request, response });
      response.resume();
      if (undelivered.has(local)) fail('local-origin', `its mesh end could not reach it: ${local}`, false);
      else fail('early-close', `its mesh end saw it break off: ${local.slice(0, 8)}`);
    });
    if (send.signal.aborted) onGone();
    else send.body.sendTo(request, send.onBytes);
  });
}
