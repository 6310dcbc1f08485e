import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Svid, svidKeyPem, writeOwnerOnly } from '../../core/identity/index.ts';
import { certificatesToPem } from '../../core/pki/index.ts';
import { issue, openBenchAuthority, trustDomain, withFolder } from '../bench-pki.ts';
import type { BenchIdentity, ContenderName, PemFiles, ProxyPlan, RunningProxy, StartProxy } from './contract.ts';
import { startEnvoyProxy } from './envoy.ts';
import { startHaproxy } from './haproxy.ts';
import { type Origin, startOrigin } from './load-process.ts';
import { startNginx } from './nginx.ts';
import { startOurs } from './our-engines.ts';
import { startPrototype } from './prototype.ts';

const starters: Readonly<Record<ContenderName, StartProxy>> = {
  prototype: startPrototype,
  native: startOurs('native'),
  node: startOurs('node'),
  HAProxy: startHaproxy,
  nginx: startNginx,
  Envoy: startEnvoyProxy,
};

/** Who takes part in a case, and with what to do. */
export interface Entry {
  readonly name: ContenderName;
  readonly plan: ProxyPlan;
  /** Absent: its name. Unique in a case. */
  readonly label?: string;
}

/** One that was to be had, and serves. */
export interface Contender {
  readonly name: ContenderName;
  readonly label: string;
  readonly plan: ProxyPlan;
  readonly proxy: RunningProxy;
}

/**
 * All contenders side by side, each before an origin of its own, so that none finds ports taken by what another left. `note` hears who is missing.
 * Everything is stopped when `work` has settled.
 */
export function withContenders<T>(
  entries: readonly Entry[],
  note: (text: string) => void,
  work: (contenders: readonly Contender[]) => Promise<T>,
): Promise<T> {
  return withFolder(async (dir) => {
    const identity = await issueIdentity(dir);
    const stops: (() => Promise<void>)[] = [];
    try {
      const contenders: Contender[] = [];
      for (const [place, { name, plan, label = name }] of entries.entries()) {
        const origin = await startOrigin(plan);
        stops.push(origin.stop);
        const proxy = await startIn(join(dir, `${place}-${name}`), starters[name], plan, origin, identity);
        if (proxy === undefined) {
          note(missing(name, plan));
          continue;
        }
        stops.push(proxy.stop);
        contenders.push({ name, label, plan, proxy });
      }
      return await work(contenders);
    } finally {
      for (const stop of stops.reverse()) await stop();
    }
  });
}

async function startIn(
  dir: string,
  start: StartProxy,
  plan: ProxyPlan,
  { port }: Origin,
  identity: BenchIdentity,
): Promise<RunningProxy | undefined> {
  await mkdir(dir);
  return start({ plan, originPort: port, dir, identity });
}

function missing(name: ContenderName, { kind }: ProxyPlan): string {
  switch (name) {
    case 'native':
      return 'native: not built, so it was not measured: npm run build:native';
    case 'prototype':
      return 'prototype: forwards HTTP alone.';
    case 'node':
      return 'node: another engine ran in its place and was not measured.';
    case 'nginx':
      return kind === 'http'
        ? 'nginx: measured with HTTP/1.1 alone: it speaks no HTTP/2 to those behind it.'
        : 'nginx: not found with its stream module: bash bench/engines/setup.sh';
    case 'HAProxy':
      return 'HAProxy: not found: bash bench/engines/setup.sh';
    case 'Envoy':
      return 'Envoy: not found: name one in ISTHMUS_ENVOY, or npm run servers';
  }
}

/** As files in that folder, too. */
export async function issueIdentity(dir: string): Promise<BenchIdentity> {
  const authority = await openBenchAuthority(dir);
  const [client, server] = [issue(authority, 'shop', 'caller'), issue(authority, 'shop', 'orders')];
  const bundle = authority.bundle();
  const roots = join(dir, 'roots.pem');
  await writeFile(roots, certificatesToPem(bundle.roots));
  const files = { client: await writePem(dir, 'client', client), server: await writePem(dir, 'server', server), roots };
  return { client, server, bundle, trustDomain, files };
}

async function writePem(dir: string, name: string, svid: Svid): Promise<PemFiles> {
  const files = { chain: join(dir, `${name}-chain.pem`), key: join(dir, `${name}-key.pem`), both: join(dir, `${name}.pem`) };
  await writeFile(files.chain, svid.chainPem);
  await writeOwnerOnly(files.key, svidKeyPem(svid));
  await writeOwnerOnly(files.both, svid.chainPem + svidKeyPem(svid));
  return files;
}
