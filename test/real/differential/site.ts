import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Status } from '../../../core/admin/index.ts';
import type { Running } from '../servers/index.ts';
import { type CliRun, runIsthmus, trustDomain } from './isthmus.ts';
import { keep, type Place } from './place.ts';
import type { SiteConfig } from './site-config.ts';
import { siteConfig } from './site-config.ts';

/** One cluster's control plane on loopback, driven by the commands that an operator has. */
export interface Site {
  readonly cluster: string;
  /** Where its `isthmus.yaml`, state, services and (where it holds it) root are. */
  readonly folder: string;
  readonly control: Running;
  /** Rejects with what the command said when it fails. */
  run(...args: string[]): Promise<string>;
  status(): Promise<Status>;
}

export type SiteOptions = Omit<SiteConfig, 'folder' | 'ports'>;

/** `isthmus ca init` where it holds the root, `control init`, `control`; resolves when it is alive. */
export async function startSite(place: Place, options: SiteOptions): Promise<Site> {
  const { cluster } = options;
  const folder = await place.folder(`control-${cluster}`);
  const ports = { grpc: await place.port(), api: await place.port(), health: await place.port() };
  const file = join(folder, 'isthmus.yaml');
  await mkdir(join(folder, 'services'));
  await writeFile(join(folder, 'services', 'services.yaml'), options.services ?? '');
  await writeFile(file, siteConfig({ ...options, folder, ports }), { mode: 0o600 });
  const env = { HOME: folder, ISTHMUS_CONTEXT_FILE: join(folder, 'context.yaml') };
  const run = async (...args: string[]) => succeeded(cluster, args, await runIsthmus(args, env));
  if (options.root) await run('ca', 'init', '--dir', join(folder, 'root'), '--trust-domain', trustDomain);
  await run('control', 'init', '-c', file);
  const control = await keep(place, {
    name: `control-${cluster}`,
    args: ['control', '-c', file],
    env,
    folder,
    // Live, not ready: a joiner is ready only once it has joined.
    ready: `http://127.0.0.1:${ports.health}/healthz`,
  });
  const status = async () => JSON.parse(await run('status', '--output', 'json')) as Status;
  return { cluster, folder, control, run, status };
}

function succeeded(cluster: string, args: readonly string[], { code, stdout, stderr }: CliRun): string {
  if (code !== 0) throw new Error(`isthmus ${args.slice(0, 2).join(' ')} at ${cluster} ended with ${code}: ${stderr}`);
  return stdout.trim();
}
