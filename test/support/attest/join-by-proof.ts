import type { TestContext } from 'node:test';
import { type ObtainedIdentity, obtainIdentity, type ProofOptions } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { temporaryDir } from '../control-plane.ts';
import { onEnd } from '../on-end.ts';

export interface JoinByProof {
  readonly token: string;
  readonly proof: ProofOptions;
  readonly dir?: string;
  readonly instance?: string;
  /** What it has to complain of. */
  readonly warnings?: string[];
}

/** As an agent and a gateway do it; kept alive until the test ends. */
export async function joinByProof(
  t: TestContext,
  { token, proof, dir, instance = 'vm-1', warnings = [] }: JoinByProof,
): Promise<ObtainedIdentity> {
  const stop = new AbortController();
  onEnd(t, () => stop.abort());
  const log = {
    ...silentLog,
    warn: (fields: Readonly<Record<string, unknown>>, message: string) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
  };
  const common = { clock: systemClock, random: Math.random, log, signal: stop.signal };
  return obtainIdentity({ dir: dir ?? (await temporaryDir(t)), token, proof, instance, ...common });
}
