import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mostClusters, type StartProxy, sniOf } from './contract.ts';
import { findProgram } from './find-program.ts';
import { startNginxHttp } from './nginx-http.ts';
import { startNginxMtls } from './nginx-mtls.ts';
import { freePort, spawnProxy } from './spawn-proxy.ts';

/** Where Debian's libnginx-mod-stream puts it. */
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

/** One worker, no log. */
export const startNginx: StartProxy = async (brief) => {
  const { plan, originPort, dir } = brief;
  const binary = await findProgram('nginx', 'ISTHMUS_NGINX');
  if (binary === undefined) return undefined;
  if (plan.kind === 'http') return plan.version === 'http1' ? startNginxHttp(binary, originPort, dir) : undefined;
  const hasModule = await access(streamModule).then(
    () => true,
    () => false,
  );
  if (!hasModule) return undefined;
  if (plan.kind === 'mtls') return startNginxMtls(binary, streamModule, plan.resume, brief);
  const port = await freePort();
  const folder = join(dir, 'nginx');
  await mkdir(folder, { recursive: true });
  const map = join(folder, 'routes.map');
  await writeFile(map, Array.from({ length: plan.routes }, (_, i) => `${sniOf(i)} b${i % mostClusters};\n`).join(''));
  const config = join(folder, 'nginx.conf');
  await writeFile(config, configOf(port, originPort, folder, map));
  return spawnProxy(binary, ['-e', 'stderr', '-c', config, '-g', 'daemon off;'], port);
};

function configOf(port: number, originPort: number, folder: string, map: string): string {
  const upstreams = Array.from({ length: mostClusters }, (_, i) => `  upstream b${i} { server 127.0.0.1:${originPort}; }`);
  return `load_module ${streamModule};
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${join(folder, 'pid')};
error_log stderr error;
events { worker_connections 19500; }
stream {
  access_log off;
  map_hash_max_size 262144;
  map_hash_bucket_size 128;
  map $ssl_preread_server_name $upstream { include ${map}; }
${upstreams.join('\n')}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ssl_preread on;
    proxy_half_close on;
    proxy_timeout 1h;
    proxy_pass $upstream;
  }
}
`;
}
