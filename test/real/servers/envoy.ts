import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { install } from './install.ts';
import { onFreePorts, type Running, startServer } from './server-process.ts';
import { makeWorkFolder, removeWorkFolder } from './work-folder.ts';

/** A bootstrap (envoy.config.bootstrap.v3.Bootstrap in its JSON form). `admin` is filled in by `startEnvoy`. */
export type EnvoyBootstrap = Readonly<Record<string, unknown>>;

export interface EnvoyOptions {
  readonly bootstrap: EnvoyBootstrap;
  readonly netns?: string;
  readonly ports?: Partial<Record<'admin', number>>;
  /** What changes of a listener is let go of after so long. Default: Envoy's, 600. */
  readonly drainSeconds?: number;
}

export interface RunningEnvoy extends Running {
  /** Its admin interface. */
  readonly adminUrl: string;
}

/** What `envoy --mode validate` says of a bootstrap. `problem` is its output where it refuses. */
export type EnvoyVerdict = { readonly accepted: true } | { readonly accepted: false; readonly problem: string };

async function envoyBinary(): Promise<string> {
  return (await install('envoy')).binary('envoy');
}

/** Bytes: the bootstrap in its binary form. */
export async function validateEnvoyConfig(bootstrap: EnvoyBootstrap | Uint8Array): Promise<EnvoyVerdict> {
  const binary = await envoyBinary();
  const folder = await makeWorkFolder('envoy-validate');
  try {
    const bytes = bootstrap instanceof Uint8Array;
    const file = join(folder, bytes ? 'envoy.pb' : 'envoy.json');
    await writeFile(file, bytes ? bootstrap : JSON.stringify(bootstrap), { mode: 0o600 });
    return await new Promise((resolve) => {
      execFile(binary, ['--mode', 'validate', '-c', file, '--log-level', 'warning'], (error, stdout, stderr) => {
        resolve(error === null ? { accepted: true } : { accepted: false, problem: `${stdout}${stderr}`.trim() || error.message });
      });
    });
  } finally {
    await removeWorkFolder(folder);
  }
}

/** Starts Envoy on a bootstrap, ready when its admin interface says LIVE. */
export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  const binary = await envoyBinary();
  const where = { name: 'envoy', netns: options.netns, fixed: options.ports };
  return onFreePorts(where, ['admin'], async (ports, folder) => {
    const file = join(folder, 'envoy.json');
    const admin = { address: { socket_address: { address: '127.0.0.1', port_value: ports.admin } } };
    await writeFile(file, JSON.stringify({ ...options.bootstrap, admin }), { mode: 0o600 });
    const adminUrl = `http://127.0.0.1:${ports.admin}`;
    const drain =
      options.drainSeconds === undefined ? [] : ['--drain-time-s', String(options.drainSeconds), '--drain-strategy', 'immediate'];
    const server = await startServer({
      name: 'envoy',
      command: binary,
      args: ['-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warning', ...drain],
      netns: options.netns,
      folder,
      ready: async (reach) => (await reach.request({ url: `${adminUrl}/ready` })).status === 200,
    });
    return Object.assign(server, { adminUrl });
  });
}
