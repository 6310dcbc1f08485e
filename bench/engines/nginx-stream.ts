import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningProxy } from './contract.ts';
import { spawnProxy } from './spawn-proxy.ts';

/** Where Debian's libnginx-mod-stream puts it. */
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

export interface NginxStream {
  /** Where its servers listen. */
  readonly port: number;
  /** Made where it is missing. */
  readonly folder: string;
  readonly connections: number;
  /** What stands in `stream {}`. */
  readonly stream: string;
}

export function hasStreamModule(): Promise<boolean> {
  return access(streamModule).then(
    () => true,
    () => false,
  );
}

/** One worker, no log. */
export async function startNginxStream(binary: string, { port, folder, connections, stream }: NginxStream): Promise<RunningProxy> {
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'nginx.conf');
  await writeFile(
    config,
    `load_module ${streamModule};
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${join(folder, 'pid')};
error_log stderr error;
events { worker_connections ${connections}; }
stream {
  access_log off;
${stream}}
`,
  );
  return spawnProxy(binary, ['-e', 'stderr', '-c', config, '-g', 'daemon off;'], port);
}
