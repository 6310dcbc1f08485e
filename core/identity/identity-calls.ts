import type { KeyObject } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { MeshError } from '../errors.ts';
import type { Log } from '../log.ts';
import { bundleOf, createCsr, spkiOf, verifySvid } from '../pki/index.ts';
import { IdentityClient, type SignJwtReply, type SvidReply } from '../xds/gen/isthmus/agent/v1/agent.ts';
import { attestChannel, type ControlChannel, controlChannel } from './control-channel.ts';
import type { StoredIdentity } from './identity-files.ts';
import { formatJoinToken, type JoinToken } from './join-token.ts';
import type { ProofOptions } from './proof/proof-options.ts';
import { readProof } from './proof/read-proof.ts';
import { makeSvid, type SvidSource } from './svid.ts';
import { unary } from './unary.ts';

const callMs = 10_000;
const worryingSkewMs = 30_000;

export interface CallContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface NewIdentity extends Omit<StoredIdentity, 'tokenId'> {
  /** Server's clock minus ours, ms; half the round trip is taken off. */
  readonly skewMs: number;
}

/**
 * Redeems a token, or shows the proof that its attestor takes, at the first of its addresses that answers. MeshErrors as `unary` and `readProof`;
 * IDENTITY_INVALID for a reply that does not hold, CONFIG_INVALID where a proof is needed and there is none.
 */
export async function attest(
  token: JoinToken,
  proof: ProofOptions | undefined,
  key: KeyObject,
  instance: string,
  context: CallContext,
  /** DER. Learned since the token was made: its own root may have been retired. */
  learned: readonly Uint8Array[] = [],
): Promise<NewIdentity> {
  const now = () => context.clock.now();
  const channel = attestChannel(bundleOf(token.trustDomain, learned.length === 0 ? [token.root] : learned), {
    cluster: token.cluster,
    now,
  });
  const request = { ...(await shown(token, proof, key, instance, now())), csr: createCsr(key), instance };
  const call = (client: IdentityClient) => unary(client.attest.bind(client), request, callMs, context.signal);
  const { reply, roundTripMs } = await onFirst(token.addresses, channel, context, call);
  return accepted(reply, key, context, roundTripMs);
}

async function shown(token: JoinToken, options: ProofOptions | undefined, key: KeyObject, instance: string, now: number) {
  const { attestor, trustDomain, cluster } = token;
  if (attestor === undefined) return { attestor: 'join-token', proof: Buffer.from(formatJoinToken(token)) };
  if (options === undefined) {
    const flags = '--proof-file FILE, or --proof-cert FILE and --proof-key FILE';
    throw new MeshError('CONFIG_INVALID', `the token names the attestor ${attestor} and holds no secret: a proof is needed, ${flags}`);
  }
  return { attestor, proof: await readProof(options, { trustDomain, cluster, instance, spki: spkiOf(key), now }) };
}

/** A new SVID of the same identity for `key`, on the strength of the current one. */
export async function renew(source: SvidSource, addresses: readonly string[], key: KeyObject, context: CallContext): Promise<NewIdentity> {
  const channel = controlChannel(source, { cluster: source.current().cluster, now: () => context.clock.now() });
  const request = { csr: createCsr(key) };
  const call = (client: IdentityClient) => unary(client.renew.bind(client), request, callMs, context.signal);
  const { reply, roundTripMs } = await onFirst(addresses, channel, context, call);
  return accepted(reply, key, context, roundTripMs);
}

/** A JWT-SVID of the same identity. MeshErrors as `unary`. */
export async function signJwt(
  source: SvidSource,
  addresses: readonly string[],
  audiences: readonly string[],
  context: CallContext,
): Promise<SignJwtReply> {
  const channel = controlChannel(source, { cluster: source.current().cluster, now: () => context.clock.now() });
  const request = { audiences: [...audiences], ttlMs: 0 };
  const call = (client: IdentityClient) => unary(client.signJwt.bind(client), request, callMs, context.signal);
  return (await onFirst(addresses, channel, context, call)).reply;
}

/** Addresses are tried in order while they can't be reached; an answer, also a refusal, is final. */
async function onFirst<T>(
  addresses: readonly string[],
  channel: ControlChannel,
  context: CallContext,
  call: (client: IdentityClient) => Promise<T>,
): Promise<{ readonly reply: T; readonly roundTripMs: number }> {
  let last: unknown = new MeshError('PEER_UNREACHABLE', 'no address of a control plane is known', { retryable: true });
  for (const address of addresses) {
    const client = new IdentityClient(address, channel.credentials, channel.options);
    const started = context.clock.monotonic();
    try {
      const reply = await call(client);
      return { reply, roundTripMs: context.clock.monotonic() - started };
    } catch (error) {
      last = error;
      if (!(error instanceof MeshError && error.retryable)) throw error;
      context.log.debug({ address, error: error.message }, 'control plane not reached');
    } finally {
      client.close();
    }
  }
  throw last;
}

function accepted(reply: SvidReply, key: KeyObject, context: CallContext, roundTripMs: number): NewIdentity {
  const now = context.clock.now();
  const skewMs = reply.serverTimeMs - (now - roundTripMs / 2);
  if (Math.abs(skewMs) > worryingSkewMs) {
    context.log.warn({ skewMs: Math.round(skewMs) }, "this machine's clock differs from the control plane's: certificates may not hold");
  }
  const bundle = bundleOf(reply.trustDomain, reply.roots);
  const verdict = verifySvid(reply.chain, bundle, now);
  if (!verdict.ok)
    throw new MeshError('IDENTITY_INVALID', `the control plane issued an SVID that does not hold here: ${verdict.reason}`, {
      retryable: true,
    });
  const svid = makeSvid(reply.chain, key);
  if (!svid.ok) throw new MeshError('PROTOCOL_ERROR', `the control plane issued an SVID for another key`);
  return { svid: svid.value, bundle, skewMs };
}
