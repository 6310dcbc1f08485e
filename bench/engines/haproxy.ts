import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchIdentity, mostClusters, type ProxyBrief, type RunningProxy, type StartProxy, sniOf } from './contract.ts';
import { findProgram } from './find-program.ts';
import { haproxyHttp } from './haproxy-http.ts';
import { freePort, pairOf, spawnProxy } from './spawn-proxy.ts';

/** One thread, no log, and every way of splicing: bytes cross the process without a copy once they come in bulk. */
const common = (plan: ProxyBrief['plan']) => `global
  nbthread 1
  maxconn 9000
  maxpipes 256
  ${plan.kind === 'mtls' && !plan.resume ? 'tune.ssl.cachesize 0' : ''}
defaults
  mode tcp
  option splice-auto
  option splice-request
  option splice-response
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout client-fin 5m
  timeout server-fin 5m
`;

export const startHaproxy: StartProxy = async (brief) => {
  const binary = await findProgram('haproxy', 'ISTHMUS_HAPROXY');
  if (binary === undefined) return undefined;
  const { plan, originPort, identity } = brief;
  const start = async (name: string, config: (port: number) => string): Promise<RunningProxy> => {
    const port = await freePort();
    const file = join(brief.dir, `${name}.cfg`);
    await writeFile(file, common(plan) + config(port));
    return spawnProxy(binary, ['-db', '-q', '-f', file], port);
  };
  if (plan.kind === 'passthrough') {
    const map = join(brief.dir, 'routes.map');
    await writeFile(map, Array.from({ length: plan.routes }, (_, i) => `${sniOf(i)} b${i % mostClusters}\n`).join(''));
    return start('passthrough', (port) => passthrough(port, originPort, map));
  }
  if (plan.kind === 'http') return start('http', (port) => haproxyHttp(plan.version, port, originPort));
  const far = await start('terminate', (port) => terminate(port, originPort, plan.resume, identity));
  try {
    return pairOf(await start('originate', (port) => originate(port, far.port, plan.resume, identity)), far);
  } catch (error) {
    await far.stop();
    throw error;
  }
};

function passthrough(port: number, originPort: number, map: string): string {
  const backends = Array.from({ length: mostClusters }, (_, i) => `backend b${i}\n  server s 127.0.0.1:${originPort}\n`);
  return `frontend in
  bind 127.0.0.1:${port} backlog 4096
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend %[req.ssl_sni,lower,map(${map})]
${backends.join('')}`;
}

/** Verified by the roots; HAProxy compares no SPIFFE ids. */
function terminate(port: number, originPort: number, resume: boolean, { files }: BenchIdentity): string {
  const tls = `ssl crt ${files.server.both} ca-file ${files.roots} verify required ssl-min-ver TLSv1.3`;
  return `frontend in
  bind 127.0.0.1:${port} backlog 4096 ${tls}${resume ? '' : ' no-tls-tickets'}
  default_backend out
backend out
  server s 127.0.0.1:${originPort}
`;
}

function originate(port: number, farPort: number, resume: boolean, { files }: BenchIdentity): string {
  const tls = `ssl crt ${files.client.both} ca-file ${files.roots} verify required ssl-min-ver TLSv1.3`;
  return `frontend in
  bind 127.0.0.1:${port} backlog 4096
  default_backend out
backend out
  server s 127.0.0.1:${farPort} ${tls}${resume ? '' : ' no-ssl-reuse'}
`;
}
