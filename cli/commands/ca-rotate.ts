import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { AuthorityStatus, RotateRequest, RotationStatus } from '../../core/admin/index.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { systemClock } from '../../core/system-clock.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor, type LeafOptions } from '../leaf.ts';
import { isRotationOver, rotationText } from '../text/rotation-text.ts';

const lookMs = 1_000;

interface RotateFlags extends LeafOptions, TargetOptions {
  readonly watch?: boolean;
  readonly step?: boolean;
  readonly without?: readonly string[];
  readonly newRoot?: string;
  readonly forceRetireRootInUse?: boolean;
}

export function addCaRotate(ca: Command, io: Io): void {
  const rotate = ca.command('rotate').description("replace the trust domain's root in all clusters, without an outage");
  const withoutHelp = 'not to be waited for: an instance, CLUSTER/INSTANCE, or a cluster that is lost';
  watched(
    apiLeaf(rotate, 'start', "make a new root, and replace the old one by it phase by phase; run it where the root's key is", [
      'ca rotate start --watch',
      'ca rotate start --step            # waits for `ca rotate continue` before each phase',
      'ca rotate start --new-root new-root.pem',
    ]),
  )
    .option('--step', 'wait for `isthmus ca rotate continue` before each phase')
    .option('--new-root <file>', 'key and certificate of the new root, PEM; one is made otherwise')
    .option('--without <name...>', withoutHelp)
    .action(async (flags: RotateFlags) => {
      const given = flags.newRoot === undefined ? {} : { newRootKey: await readFile(flags.newRoot, 'utf8') };
      await change(io, flags, { action: 'start', step: flags.step === true, without: [...(flags.without ?? [])], ...given });
    });
  watched(
    apiLeaf(rotate, 'status', 'which phase it is in, and who is missing; 0: done, or none was begun', [
      'ca rotate status',
      'ca rotate status --watch',
    ]),
  ).action(async (flags: RotateFlags) => {
    const client = await clientFor(flags, io);
    const { rotation } = await client.get<AuthorityStatus>('/v1/ca');
    if (rotation === null) return emit(io, flags.output, { rotation }, 'No rotation of the root was begun from here.');
    await show(io, flags, rotation);
  });
  watched(
    apiLeaf(rotate, 'continue', 'let the next phase in once everybody is ready; without those who are named', [
      'ca rotate continue',
      'ca rotate continue --without shop/orders/vm-7 --without west',
    ]),
  )
    .option('--without <name...>', withoutHelp)
    .option('--force-retire-root-in-use', 'retire it although it is in use: what is still under it ends there and then')
    .action((flags: RotateFlags) =>
      change(io, flags, {
        action: 'continue',
        without: [...(flags.without ?? [])],
        force: flags.forceRetireRootInUse === true,
      }),
    );
  watched(
    apiLeaf(rotate, 'abort', 'go back to the root that was there before, phase by phase; not once it is being retired', [
      'ca rotate abort --watch',
    ]),
  ).action((flags: RotateFlags) => change(io, flags, { action: 'abort' }));
}

function watched(command: Command): Command {
  return command.option('--watch', 'show each change until it is over');
}

async function change(io: Io, flags: RotateFlags, request: RotateRequest): Promise<void> {
  const client = await clientFor(flags, io);
  await show(io, flags, await client.post<RotationStatus>('/v1/ca/rotation', request));
}

async function show(io: Io, flags: RotateFlags, first: RotationStatus): Promise<void> {
  if (flags.watch !== true) return emit(io, flags.output, first, rotationText(first));
  let said = '';
  for (let status: RotationStatus | null = first; ; status = await look(io, flags)) {
    if (status !== null) {
      const text = rotationText(status);
      if (text !== said) emit(io, flags.output, status, text);
      said = text;
      if (isRotationOver(status)) return outcome(status);
    }
    try {
      await systemClock.sleep(lookMs, io.signal);
    } catch (error) {
      if (isAborted(error)) return;
      throw error;
    }
  }
}

/**
 * Null: the control plane does not answer, or what vouches for it is just being replaced; it goes on by itself, and is asked again, by what is
 * on disk then.
 */
async function look(io: Io, flags: RotateFlags): Promise<RotationStatus | null> {
  try {
    return (await (await clientFor(flags, io)).get<AuthorityStatus>('/v1/ca')).rotation;
  } catch (error) {
    if (
      error instanceof CliError &&
      (error.exit === exitCode.unreachable || ['STORE_UNAVAILABLE', 'IDENTITY_INVALID'].includes(error.code))
    )
      return null;
    throw error;
  }
}

function outcome(status: RotationStatus): void {
  if (status.phase === 'aborted') throw new CliError(exitCode.wentBack, 'ABORTED', `rotation ${status.id} was aborted`);
}
