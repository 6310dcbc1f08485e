import type { KeyObject } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { MeshError } from '../errors.ts';
import type { Log } from '../log.ts';
import { bundleOf, createCsr, verifySvid } from '../pki/index.ts';
import { IdentityClient, type SvidReply } from '../xds/gen/isthmus/agent/v1/agent.ts';
import { attestChannel, type ControlChannel, controlChannel } from './control-channel.ts';
import type { StoredIdentity } from './identity-files.ts';
import { formatJoinToken, type JoinToken } from './join-token.ts';
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

/** Redeems a token at the first of its addresses that answers. MeshErrors as `unary`; IDENTITY_INVALID for a reply that does not hold. */
export async function attest(token: JoinToken, key: KeyObject, instance: string, context: CallContext): Promise<NewIdentity> {
  const now = () => context.clock.now();
  const channel = attestChannel(bundleOf(token.trustDomain, [token.root]), { cluster: token.cluster, now });
  const request = { attestor: 'join-token', proof: Buffer.from(formatJoinToken(token)), csr: createCsr(key), instance };
  return onFirst(token.addresses, channel, key, context, (client) => unary(client.attest.bind(client), request, callMs, context.signal));
}

/** A new SVID of the same identity for `key`, on the strength of the current one. */
export async function renew(source: SvidSource, addresses: readonly string[], key: KeyObject, context: CallContext): Promise<NewIdentity> {
  const channel = controlChannel(source, { cluster: source.current().cluster, now: () => context.clock.now() });
  const request = { csr: createCsr(key) };
  return onFirst(addresses, channel, key, context, (client) => unary(client.renew.bind(client), request, callMs, context.signal));
}

/** Addresses are tried in order while they can't be reached; an answer, also a refusal, is final. */
async function onFirst(
  addresses: readonly string[],
  channel: ControlChannel,
  key: KeyObject,
  context: CallContext,
  call: (client: IdentityClient) => Promise<SvidReply>,
): Promise<NewIdentity> {
  let last: unknown = new MeshError('PEER_UNREACHABLE', 'no address of a control plane is known', { retryable: true });
  for (const address of addresses) {
    const client = new IdentityClient(address, channel.credentials, channel.options);
    const started = context.clock.monotonic();
    try {
      const reply = await call(client);
      return accepted(reply, key, context, context.clock.monotonic() - started);
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
