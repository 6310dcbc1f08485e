import { join } from 'node:path';
import { clusterSan } from '../../core/model/index.ts';
import { cluster } from '../bench-pki.ts';
import type { BenchIdentity, ProxyBrief, RunningProxy } from './contract.ts';
import { startNginxStream } from './nginx-stream.ts';
import { freePort, pairOf } from './spawn-proxy.ts';

/** One that originates mTLS, and one that ends it; a worker each, no log. Verified by the roots and the name of the cluster: nginx knows no SPIFFE ids. */
export async function startNginxMtls(binary: string, resume: boolean, { originPort, dir, identity }: ProxyBrief): Promise<RunningProxy> {
  const start = async (name: string, to: number, tls: readonly string[], ssl: '' | ' ssl'): Promise<RunningProxy> => {
    const port = await freePort();
    const lines = [
      `listen 127.0.0.1:${port} backlog=4096${ssl};`,
      'proxy_half_close on;',
      'proxy_timeout 1h;',
      `proxy_pass 127.0.0.1:${to};`,
      ...tls,
    ];
    const stream = `  server {\n    ${lines.join('\n    ')}\n  }\n`;
    return startNginxStream(binary, { port, folder: join(dir, name), connections: 9_000, stream });
  };
  const far = await start('terminate', originPort, terminating(identity, resume), ' ssl');
  try {
    return pairOf(await start('originate', far.port, originating(identity, resume), ''), far);
  } catch (error) {
    await far.stop();
    throw error;
  }
}

function terminating({ files }: BenchIdentity, resume: boolean): readonly string[] {
  return [
    `ssl_certificate ${files.server.chain};`,
    `ssl_certificate_key ${files.server.key};`,
    `ssl_client_certificate ${files.roots};`,
    'ssl_verify_client on;',
    'ssl_verify_depth 5;',
    'ssl_protocols TLSv1.3;',
    `ssl_session_tickets ${resume ? 'on' : 'off'};`,
  ];
}

function originating({ files, trustDomain }: BenchIdentity, resume: boolean): readonly string[] {
  return [
    'proxy_ssl on;',
    `proxy_ssl_certificate ${files.client.chain};`,
    `proxy_ssl_certificate_key ${files.client.key};`,
    `proxy_ssl_trusted_certificate ${files.roots};`,
    'proxy_ssl_verify on;',
    'proxy_ssl_verify_depth 5;',
    `proxy_ssl_name ${clusterSan(cluster, trustDomain)};`,
    'proxy_ssl_protocols TLSv1.3;',
    `proxy_ssl_session_reuse ${resume ? 'on' : 'off'};`,
  ];
}
