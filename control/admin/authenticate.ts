import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import type { Store } from '../../core/store.ts';
import { type Caller, firstAdmin } from './access.ts';
import { ApiRefusal } from './api-errors.ts';
import { isFirstAdmin } from './credentials.ts';
import type { RateLimiter } from './rate-limit.ts';

/** What a client certificate turned out to be. */
export type SvidCaller =
  | { readonly ok: true; readonly spiffeId: string; readonly cluster: string }
  | { readonly ok: false; readonly reason: string };

export interface AuthenticatorOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly callerOfSocket: (socket: TLSSocket) => SvidCaller | undefined;
}

/** Finds out who calls: by bearer credential, else by SVID. One failure costs the address a try. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #failures: RateLimiter;

  constructor(options: AuthenticatorOptions, failures: RateLimiter) {
    this.#options = options;
    this.#failures = failures;
  }

  /** Throws ApiRefusal 401, or 429 after too many failures of the same address. */
  async authenticate(request: FastifyRequest): Promise<Caller> {
    const { authorization } = request.headers;
    if (authorization === undefined) return this.#bySvid(request);
    const bearer = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization)?.[1];
    const { store, clock } = this.#options;
    if (bearer !== undefined && (await isFirstAdmin(store, bearer, clock.now()))) return firstAdmin;
    throw this.#refuse(
      request,
      "the credential is not valid: it may have expired (the first admin's lives 24 h) or been replaced; make one with isthmus control init --replace",
    );
  }

  #bySvid(request: FastifyRequest): Caller {
    const caller = this.#options.callerOfSocket(request.socket as TLSSocket);
    if (caller === undefined) throw this.#refuse(request, 'a credential or a client certificate of the mesh is needed');
    if (!caller.ok) throw this.#refuse(request, `the client certificate was refused: ${caller.reason}`);
    return { subject: caller.spiffeId, cluster: caller.cluster };
  }

  #refuse(request: FastifyRequest, message: string): ApiRefusal {
    const allowed = this.#failures.take(request.socket.remoteAddress ?? '');
    return allowed
      ? new ApiRefusal(401, 'PERMISSION_DENIED', message)
      : new ApiRefusal(429, 'LIMIT_EXCEEDED', 'too many calls from this address without a valid credential: wait some seconds');
  }
}
