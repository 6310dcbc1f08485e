import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority, caInit } from '../control/ca/index.ts';
import { makeSvid, type Svid } from '../core/identity/index.ts';
import { silentLog } from '../core/log.ts';
import { generateKey, spkiOf } from '../core/pki/index.ts';
import { systemClock } from '../core/system-clock.ts';

export const trustDomain = 'bench.test';
export const cluster = 'east';
const day = 86_400_000;

/** Runs `work` with a folder of its own that is gone afterwards. */
export async function withFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-bench-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A certificate authority as a control plane has it, with its root online. */
export async function openBenchAuthority(dir: string): Promise<Authority> {
  const root = await caInit(join(dir, 'root'), trustDomain, systemClock.now());
  const options = { dir: join(dir, 'ca'), cluster, trustDomain, intermediateTtlMs: 365 * day, clock: systemClock, log: silentLog };
  return Authority.open({ ...options, root });
}

export function issue(authority: Authority, namespace: string, serviceAccount: string): Svid {
  const key = generateKey();
  const { chain } = authority.issueSvid(spkiOf(key), { trustDomain, namespace, serviceAccount }, day);
  const made = makeSvid(chain, key);
  if (!made.ok) throw new Error(made.violations[0]?.message);
  return made.value;
}
