import { type Metadata, status } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { asksForFile, type CallerFacts, identityOf, programFile, ticksNow } from '../identities/index.ts';
import type { WorkloadIdentity } from './contract.ts';
import type { Refusal } from './follow.ts';
import type { SocketCaller } from './socket-front.ts';

/** Which identity a program has, decided when it connects: what it becomes later (another file, another user) changes nothing for this connection. */
export async function recognise(
  caller: SocketCaller,
  identities: readonly WorkloadIdentity[],
  log: Log,
): Promise<WorkloadIdentity | undefined> {
  const asks = asksForFile(identities);
  const file = asks.path ? await programFile(caller.pid, await ticksNow(), asks.sha256) : undefined;
  const facts: CallerFacts = { uid: caller.uid, gids: caller.gids, ...file };
  const found = identityOf(identities, facts);
  if (found === undefined) {
    const hint = asks.path && file === undefined ? 'its program file cannot be read: paths need CAP_SYS_PTRACE' : undefined;
    log.warn({ uid: caller.uid, pid: caller.pid, path: file?.path, hint }, 'workload API: a program without an identity');
  }
  return found;
}

/** The header that keeps requests which a browser or a proxy was tricked into sending away from keys (SPIFFE Workload API, 3.). */
export function hasSecurityHeader(metadata: Metadata): boolean {
  const values = metadata.get('workload.spiffe.io');
  return values.length === 1 && values[0] === 'true';
}

/** What is said to a caller that may have nothing; its uid is no secret to it, and tells whoever reads the error what to configure. */
export function noIdentity(uid: number | undefined): Refusal {
  const details = uid === undefined ? 'no identity' : `no identity for uid ${uid} here: give it one with isthmus vm identity add`;
  return { code: status.PERMISSION_DENIED, details };
}

export const noHeader: Refusal = { code: status.INVALID_ARGUMENT, details: 'the metadata workload.spiffe.io: true is missing' };

export function tooMany(what: string): Refusal {
  return { code: status.RESOURCE_EXHAUSTED, details: `too many ${what} of this user` };
}

/** An SVID that has ended proves nothing, and a program that got it would only fail later. */
export function ended({ name, source }: WorkloadIdentity, clock: Clock): Refusal | undefined {
  if (source.current().notAfter > clock.now()) return undefined;
  const details = `the identity ${name} has ended and could not be renewed: see isthmus vm status`;
  return { code: status.UNAVAILABLE, details };
}
