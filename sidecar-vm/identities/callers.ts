import type { Socket } from 'node:net';
import { Counter, type Registry } from 'prom-client';
import type { Log } from '../../core/log.ts';
import { connectingUid, type TcpEnd } from '../../core/os/index.ts';
import type { CountedContext, OutboundCallers } from '../../gateway/index.ts';
import type { AgentOptions } from '../options.ts';
import type { OpenIdentity } from './open-identities.ts';
import { ownName } from './options.ts';
import { identityOf } from './selectors.ts';

interface CallersDeps {
  readonly metrics: Registry;
  readonly log: Log;
  /** Asks the kernel unless a test does not want it to. */
  readonly uidOf?: typeof connectingUid;
}

/**
 * As whom local programs call: the identity of the user that the connection belongs to. Undefined where no identity is told apart by users: then all
 * call as the agent's own, and nothing is asked. Of a connection only the user is known, so identities that ask for more (a group, a file) are
 * never meant by one: their programs do mTLS themselves.
 */
export function outboundCallers(
  { identities }: AgentOptions,
  opened: readonly OpenIdentity[],
  context: CountedContext,
  { metrics, log, uidOf = connectingUid }: CallersDeps,
): OutboundCallers | undefined {
  if (!identities.some(({ selectors }) => selectors.uid.length > 0)) return undefined;
  const byUser = identities.filter(({ selectors: { gid, path, sha256 } }) => gid.length + path.length + sha256.length === 0);
  const refused = new Counter({
    name: 'isthmus_outbound_refused_total',
    help: 'Connections of local programs that belong to nobody who has an identity here',
    labelNames: ['reason'],
    registers: [metrics],
  });
  const refuse = (reason: string, uid: number | undefined, detail: string) => {
    refused.inc({ reason });
    log.warn({ uid, reason }, 'outbound connection refused: no identity');
    return { refused: detail };
  };
  return {
    contexts: new Map(opened.map(({ options, source }) => [options.name, { ...context, identity: source }])),
    callerOf: async (socket: Socket, destination: TcpEnd) => {
      const local = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
      let uid: number | undefined;
      try {
        uid = await uidOf({ local, remote: destination });
      } catch (error) {
        return refuse('unknown', undefined, `whose connection it is cannot be told: ${String(error)}`);
      }
      if (uid === undefined) return refuse('unknown', uid, 'no program of this machine holds the connection');
      const found = identityOf(byUser, { uid, gids: [] });
      if (found === undefined) return refuse('unmapped', uid, `uid ${uid} has no identity here: isthmus vm identity add gives it one`);
      return found.name === ownName ? 'own' : { identity: found.name };
    },
  };
}
