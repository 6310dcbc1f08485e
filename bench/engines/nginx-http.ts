import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningProxy } from './contract.ts';
import { freePort, spawnProxy } from './spawn-proxy.ts';

/** One worker, no log, HTTP/1.1 on both sides, by the rules of http-rules.ts. */
export async function startNginxHttp(binary: string, originPort: number, dir: string): Promise<RunningProxy> {
  const port = await freePort();
  const folder = join(dir, 'nginx');
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'nginx.conf');
  await writeFile(config, configOf(port, originPort, folder));
  return spawnProxy(binary, ['-e', 'stderr', '-c', config, '-g', 'daemon off;'], port);
}

function configOf(port: number, originPort: number, folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${join(folder, name)};`);
  return `worker_processes 1;
worker_rlimit_nofile 20000;
pid ${join(folder, 'pid')};
error_log stderr error;
events { worker_connections 9000; }
http {
  access_log off;
${temporary.join('\n')}
  keepalive_requests 1000000000;
  upstream orders {
    server 127.0.0.1:${originPort};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    proxy_http_version 1.1;
    proxy_max_temp_file_size 0;
    proxy_set_header connection "";
    proxy_set_header host $http_host;
    proxy_set_header x-forwarded-for $proxy_add_x_forwarded_for;
    proxy_set_header x-request-id $request_id;
    proxy_set_header x-route default;
    location = /admin { return 403; }
    location = /old { return 410; }
    location /old/ { return 410; }
    location / { proxy_pass http://orders; }
  }
}
`;
}
