import { type Command, InvalidArgumentError } from 'commander';
import type { Revocation, RevocationStatus, RevokeRequest } from '../../core/admin/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor, type LeafOptions } from '../leaf.ts';
import { laggardsText } from '../text/laggards-text.ts';

interface Flags extends LeafOptions, TargetOptions {
  readonly token?: string;
  readonly dryRun?: boolean;
  readonly wait?: number | true;
}

const usualWaitS = 30;
const pollMs = 500;

export function addVmRevoke(vm: Command, io: Io): void {
  apiLeaf(vm, 'revoke', 'take an identity back: its endpoints go, nothing of it renews, and every proxy refuses it', [
    'vm revoke vm-1',
    'vm revoke shop/orders/vm-1 --dry-run',
    'vm revoke 5f0a41c9e2…   # by the serial of one of its certificates',
    'vm revoke --token 4f2a90c1d3e8b7a6 --wait 60   # all that joined with it',
  ])
    .argument('[instance-or-serial]', 'instance, NAMESPACE/SERVICE_ACCOUNT/INSTANCE, or a serial in hex')
    .option('--token <id>', 'a join token, and all that was granted on it')
    .option('--dry-run', 'say what would be revoked, and change nothing')
    .option('--wait [seconds]', `until every proxy has acknowledged it (default ${usualWaitS}), and name those that have not`, seconds)
    .action(async (target: string | undefined, flags: Flags) => {
      const { token, dryRun, output } = flags;
      const asked = { ...(target === undefined ? {} : { target }), ...(token === undefined ? {} : { token }) };
      const request: RevokeRequest = { ...asked, ...(dryRun === true ? { dryRun } : {}) };
      const client = await clientFor(flags, io);
      const revoked = await client.post<Revocation>('/v1/revocations', request);
      if (dryRun === true || flags.wait === undefined) {
        emit(io, output, revoked, revokedText(revoked));
        return;
      }
      const status = await settled(client, (flags.wait === true ? usualWaitS : flags.wait) * 1_000, io.signal);
      emit(io, output, { ...revoked, ...status }, `${revokedText(revoked)}\n${laggardsText(status)}`);
      if (status.laggards.length > 0) {
        const next = 'they act by what they heard last; see isthmus ca status, and mend or stop them';
        throw new CliError(exitCode.failed, 'LAGGARDS', `${status.laggards.length} proxies have not acknowledged it`, next);
      }
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0 || value > 3_600) throw new InvalidArgumentError('must be 1 to 3600 seconds');
  return value;
}

/** As soon as nobody lags, at the latest after `patienceMs`. */
async function settled(client: ApiClient, patienceMs: number, signal: AbortSignal): Promise<RevocationStatus> {
  const deadline = systemClock.monotonic() + patienceMs;
  for (;;) {
    const status = await client.get<RevocationStatus>('/v1/revocations');
    if (status.laggards.length === 0 || systemClock.monotonic() > deadline) return status;
    await systemClock.sleep(pollMs, signal);
  }
}

function revokedText(revoked: Revocation): string {
  const { dryRun, already, token, instances, serials, registrations, proxylessUntil, openTokens } = revoked;
  const done = dryRun ? 'Would revoke' : already ? 'Was revoked before:' : 'Revoked';
  const what = [...(token === undefined ? [] : [`token ${token}`]), ...instances.map(({ id, spiffeId }) => `${id} (${spiffeId})`)];
  return [
    `${done} ${what.join(', ') || 'nothing'}: ${registrations} registrations, ${serials.length} certificates.`,
    ...(proxylessUntil === undefined
      ? []
      : [`Proxyless gRPC servers take its certificates until ${proxylessUntil}: no list reaches them.`]),
    ...openTokens.map((id) => `Token ${id} can still be redeemed by whoever holds it: isthmus vm revoke --token ${id}`),
  ].join('\n');
}
