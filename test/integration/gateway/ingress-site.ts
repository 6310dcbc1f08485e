import { chmod, copyFile, rename, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { Registry } from 'prom-client';
import { silentLog } from '../../../core/log.ts';
import { certificatesToPem, keyToPem } from '../../../core/pki/index.ts';
import { parseGatewayOptions, type RunningGateway, startGateway } from '../../../gateway/main.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { GuardedMesh } from '../policy/guarded-mesh.ts';

/** Under which this test's authority signs. */
export const domain = 'east.cluster.mesh.test';

/** A whole mesh, and an ingress gateway of it. */
export class IngressSite {
  readonly mesh: GuardedMesh;
  readonly pki = new MeshPki();
  readonly folder: string;
  readonly access: Readonly<Record<string, unknown>>[] = [];
  readonly #t: TestContext;
  readonly #stateDir: string;
  #token: string | undefined;

  private constructor(t: TestContext, mesh: GuardedMesh, folder: string, stateDir: string) {
    this.#t = t;
    this.mesh = mesh;
    this.folder = folder;
    this.#stateDir = stateDir;
  }

  static async start(t: TestContext): Promise<IngressSite> {
    return new IngressSite(t, await GuardedMesh.start(t), await temporaryDir(t), await temporaryDir(t));
  }

  /** One at a time: all have the same state. */
  async gateway(more: { readonly acceptProxyFrom?: readonly string[] } = {}): Promise<RunningGateway> {
    this.#token ??= (await this.mesh.cli('gateway', 'token', '--kind', 'ingress')).trim();
    const any = { address: '127.0.0.1', port: 0 };
    const options = parseGatewayOptions({
      kind: 'ingress',
      stateDir: this.#stateDir,
      token: this.#token,
      instance: 'ingress-1',
      network: 'east',
      labels: { istio: 'ingressgateway' },
      ingressAddress: '127.0.0.1',
      health: any,
      metrics: any,
      drainMs: 1_000,
      ...more,
    });
    if (!options.ok) throw new Error(JSON.stringify(options.violations));
    const deps = {
      log: silentLog,
      accessLog: (entry: Readonly<Record<string, unknown>>) => void this.access.push(entry),
      metrics: new Registry(),
    };
    const gateway = await startGateway(options.value, deps, new AbortController().signal);
    onEnd(this.#t, () => gateway.drain());
    return gateway;
  }

  /** Replaces the objects of one file. */
  configure(name: string, ...objects: readonly object[]): Promise<void> {
    return this.mesh.configure(name, objects.map((each) => JSON.stringify(each)).join('\n---\n'));
  }

  /** `FILE.pem` and `FILE.key` for `NAME.DOMAIN`, moved into place as certificates are. */
  async certificate(file: string, name: string): Promise<{ readonly cert: string; readonly key: string }> {
    const { chain, key } = this.pki.forged('east', { uris: [], dns: [`${name}.${domain}`] });
    const pems = { pem: certificatesToPem(chain), key: keyToPem(key) };
    for (const [end, text] of Object.entries(pems)) {
      const path = join(this.folder, `${file}.${end}`);
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
    }
    return { cert: pems.pem, key: pems.key };
  }

  at(file: string): string {
    return join(this.folder, file);
  }

  /** As a file moved over another. */
  async replace(from: string, to: string): Promise<void> {
    await copyFile(this.at(from), this.at('moved'));
    await chmod(this.at('moved'), 0o600);
    await rename(this.at('moved'), this.at(to));
  }

  async authority(): Promise<void> {
    await writeFile(this.at('ca.pem'), certificatesToPem([this.pki.root.certificate.der]));
  }
}

export function gatewayObject(name: string, servers: readonly object[]): object {
  const spec = { selector: { istio: 'ingressgateway' }, servers };
  return { apiVersion: 'networking.istio.io/v1', kind: 'Gateway', metadata: { name, namespace: 'shop' }, spec };
}

export function virtualService(name: string, spec: object): object {
  return { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name, namespace: 'shop' }, spec };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** One request on a connection of its own; rejects when there is no answer. `tls`: over it, by this server name. */
export async function ask(port: number, host: string, headers: Record<string, string> = {}, tls?: ConnectionOptions): Promise<Answer> {
  const socket = tls === undefined ? undefined : await hello(port, tls);
  return new Promise((resolve, reject) => {
    const over = socket === undefined ? { agent: false as const } : { createConnection: () => socket };
    const asked = request({ host: '127.0.0.1', port, path: '/a?b=c', headers: { host, ...headers }, ...over }, async (response) => {
      const body = Buffer.concat((await response.toArray().catch(reject)) ?? []).toString();
      socket?.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    asked.once('error', (error) => {
      socket?.destroy();
      reject(error);
    });
    asked.end();
  });
}

function hello(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** The names in the certificate that is shown for `servername`. */
export async function shown(port: number, servername: string | undefined, options: ConnectionOptions = {}): Promise<string> {
  const socket = await hello(port, { ...(servername === undefined ? {} : { servername }), ...options });
  const names = socket.getPeerCertificate().subjectaltname ?? '';
  socket.destroy();
  return names;
}
