import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mostClusters, type StartProxy, sniOf } from './contract.ts';
import { findProgram } from './find-program.ts';
import { startNginxHttp } from './nginx-http.ts';
import { startNginxMtls } from './nginx-mtls.ts';
import { hasStreamModule, startNginxStream } from './nginx-stream.ts';
import { freePort } from './spawn-proxy.ts';

/** One worker, no log. */
export const startNginx: StartProxy = async (brief) => {
  const { plan, originPort, dir } = brief;
  const binary = await findProgram('nginx', 'ISTHMUS_NGINX');
  if (binary === undefined) return undefined;
  if (plan.kind === 'http') return plan.version === 'http1' ? startNginxHttp(binary, originPort, dir) : undefined;
  if (!(await hasStreamModule())) return undefined;
  if (plan.kind === 'mtls') return startNginxMtls(binary, plan.resume, brief);
  const port = await freePort();
  const folder = join(dir, 'nginx');
  await mkdir(folder, { recursive: true });
  const map = join(folder, 'routes.map');
  await writeFile(map, Array.from({ length: plan.routes }, (_, i) => `${sniOf(i)} b${i % mostClusters};\n`).join(''));
  return startNginxStream(binary, { port, folder, connections: 19_500, stream: passthrough(port, originPort, map) });
};

function passthrough(port: number, originPort: number, map: string): string {
  const upstreams = Array.from({ length: mostClusters }, (_, i) => `  upstream b${i} { server 127.0.0.1:${originPort}; }`);
  return `  map_hash_max_size 262144;
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
`;
}
