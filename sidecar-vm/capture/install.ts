import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';
import { isInstalled, type Nft, removeTable, runNft } from './nft.ts';
import type { CapturePlan } from './plan.ts';
import { captureRules, tableName } from './rules.ts';

/** What the boot loads: `isthmus-capture.service`. */
const usualFile = '/etc/isthmus/capture.nft';

export interface CaptureState {
  /** The kernel has rules of ours. */
  readonly installed: boolean;
  /** They come back with the next boot. */
  readonly atBoot: boolean;
  /** As nft lists them, with what was counted; empty without any. */
  readonly rules: string;
}

/**
 * Puts the rules in the place of those before, all at once, and keeps them for the next boot. Idempotent. Needs root. MeshError
 * PERMISSION_DENIED, CONFIG_INVALID (no nft here, or it refuses the rules: nothing has changed then).
 */
export async function installCapture(plan: CapturePlan, file = usualFile, nft: Nft = runNft): Promise<void> {
  const rules = captureRules(plan);
  await nft(['--check', '-f', '-'], rules);
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  await writeOwnerOnly(file, rules);
  await nft(['-f', '-'], rules);
}

/** Removes all of it, from the kernel and from the next boot. Idempotent. Needs root. MeshErrors as installCapture. */
export async function removeCapture(file = usualFile, nft: Nft = runNft): Promise<void> {
  await removeTable(nft);
  await rm(file, { force: true });
}

/** Needs root. MeshErrors as installCapture. */
export async function showCapture(file = usualFile, nft: Nft = runNft): Promise<CaptureState> {
  const installed = await isInstalled(nft);
  const rules = installed ? await nft(['list', 'table', ...tableName.split(' ')]) : '';
  return { installed, atBoot: (await readIfThere(file)) !== undefined, rules };
}
