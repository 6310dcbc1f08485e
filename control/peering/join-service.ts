import type { ServiceError, sendUnaryData } from '@grpc/grpc-js';
import { status as grpcStatus } from '@grpc/grpc-js';
import { MeshError, toMeshError } from '../../core/errors.ts';
import { exponentialBackoff } from '../../core/lifecycle.ts';
import { peering } from '../../core/xds/index.ts';
import { type Invite, Inviter } from './inviter.ts';
import { call, channelToJoiner, type JoinChannel } from './join-channel.ts';
import { offerProof, sha256 } from './join-proof.ts';
import { Joiner } from './joiner.ts';
import type { CreatedInvite, JoiningOptions, JoinResult } from './joining.ts';

/** Both sides of joining clusters, for the API and for the gRPC listener. */
export interface Joining {
  /** For `front.addService(peering.PeerJoinService, …)`. */
  readonly handlers: peering.PeerJoinServer;
  /** Default 15 min. `dial`: HOST:PORT of the joiner, for an inviter that cannot be dialled. */
  invite(options?: { readonly ttlMs?: number; readonly dial?: string }): Promise<CreatedInvite>;
  join(token: string): Promise<JoinResult>;
  /** Goes on with what a restart interrupted and dials joiners that were invited so; until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

const lookMs = 1_000;

export function createJoining(options: JoiningOptions): Joining {
  const inviter = new Inviter(options);
  const joiner = new Joiner(options);
  return {
    handlers: {
      join: (c, done) => answer(joinHere(inviter, options, c.request), done, options),
      offer: (c, done) => answer(joiner.offered(c.request), done, options),
      accept: (c, done) =>
        answer(
          joiner.accepted(c.request).then(() => peering.AcceptReply.create()),
          done,
          options,
        ),
    },
    invite: (request) => inviter.invite(request),
    join: (token) => joiner.join(token),
    run: (signal) => run(inviter, joiner, options, signal),
  };
}

function joinHere(inviter: Inviter, { presented }: JoiningOptions, request: peering.JoinRequest): Promise<peering.JoinReply> {
  return inviter.redeem(
    request,
    presented().map((der) => sha256(der)),
  );
}

async function run(inviter: Inviter, joiner: Joiner, options: JoiningOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log } = options;
  const backoff = exponentialBackoff({ baseMs: lookMs, maxMs: 15_000, random });
  while (!signal.aborted) {
    let failed = false;
    const attempt = async (what: string, work: () => Promise<unknown>) => {
      await work().catch((error: unknown) => {
        failed = true;
        log.warn({ error: toMeshError(error).message }, what);
      });
    };
    await attempt('joining goes on', () => joiner.resume());
    for (const invite of await inviter.toDial().catch(() => []))
      await attempt('the invited cluster was not reached', () => offer(inviter, invite, options));
    if (!failed) backoff.reset();
    await clock.sleep(backoff.next(), signal).catch(() => undefined);
  }
}

/** The inviter's way to a joiner that cannot dial it: fetch its request, bring the reply, over one pinned connection. */
async function offer(inviter: Inviter, invite: Invite, { authority }: JoiningOptions): Promise<void> {
  const channel = await channelToJoiner(invite.dial ?? '', authority.bundle().roots);
  try {
    await exchange(inviter, invite, channel);
  } catch (error) {
    // It took our reply before, and its word of that was lost.
    if (invite.redeemed === undefined || !(error instanceof MeshError && error.code === 'IDENTITY_INVALID')) throw error;
    await inviter.accepted(invite.id);
  } finally {
    channel.close();
  }
}

async function exchange(inviter: Inviter, invite: Invite, channel: JoinChannel): Promise<void> {
  const serverHash = channel.serverHash();
  const proof = offerProof(Buffer.from(invite.secret, 'base64'), invite.id, serverHash);
  const request = await call<peering.JoinRequest>((m, o, done) => channel.client.offer({ invite: invite.id, proof }, m, o, done));
  if (request.invite !== invite.id) throw new MeshError('PROTOCOL_ERROR', 'the joiner answers with another invitation');
  const reply = await inviter.redeem(request, [serverHash]);
  await call<peering.AcceptReply>((m, o, done) => channel.client.accept(reply, m, o, done));
  await inviter.accepted(invite.id);
}

const statuses = {
  IDENTITY_INVALID: grpcStatus.UNAUTHENTICATED,
  PERMISSION_DENIED: grpcStatus.PERMISSION_DENIED,
  PROTOCOL_ERROR: grpcStatus.INVALID_ARGUMENT,
  LIMIT_EXCEEDED: grpcStatus.RESOURCE_EXHAUSTED,
  NOT_FOUND: grpcStatus.NOT_FOUND,
  STORE_UNAVAILABLE: grpcStatus.UNAVAILABLE,
} as const;

function answer<T>(work: Promise<T>, done: sendUnaryData<T>, { log }: JoiningOptions): void {
  work.then(
    (value) => done(null, value),
    (error: unknown) => {
      const fault = toMeshError(error);
      const code = Object.hasOwn(statuses, fault.code) ? statuses[fault.code as keyof typeof statuses] : grpcStatus.INTERNAL;
      if (code === grpcStatus.INTERNAL) log.error({ error: fault }, 'joining failed');
      else log.warn({ reason: fault.message }, 'joining refused');
      const details = code === grpcStatus.INTERNAL ? 'internal error: see the log of the control plane' : fault.message;
      done({ code, details } as ServiceError);
    },
  );
}
