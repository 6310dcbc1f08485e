import { createHash } from 'node:crypto';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import type { KubernetesConnection, RegistrySpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';

/** A Registry object's spec whose connection is Kubernetes'. */
export type KubernetesSpec = RegistrySpec & { readonly connection: KubernetesConnection };

/** How to reach the API server now. Credentials rotate, so ask for it before every request. */
export interface ApiAccess {
  /** Without a trailing slash. */
  readonly server: string;
  readonly dispatcher: Dispatcher;
  readonly headers: Readonly<Record<string, string>>;
}

/** What KubeConfig fills in: the part of https.RequestOptions that it documents. */
interface TlsAndAuth {
  headers?: Record<string, unknown>;
  auth?: string;
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
}

const connectTimeoutMs = 5_000;
const keepAliveProbeMs = 10_000;

/**
 * Server address, TLS and credentials of one Kubernetes API: from a kubeconfig file (client certificates, tokens, exec plugins,
 * proxies) or, without one, from the pod's service account. Tokens and plugins are asked again as they expire;
 * `reload` reads the files anew, for credentials that were replaced on disk.
 */
export class KubernetesAccess {
  readonly #connection: KubernetesConnection;
  #config: KubeConfig | undefined;
  #dispatcher: { readonly fingerprint: string; readonly agent: Dispatcher } | undefined;

  constructor(connection: KubernetesConnection) {
    this.#connection = connection;
  }

  /** Rejects with MeshError CONFIG_INVALID when the kubeconfig cannot be used, REGISTRY_REFUSED when no credentials can be had. */
  async current(): Promise<ApiAccess> {
    this.#config ??= await loadKubeConfig(this.#connection);
    const cluster = this.#config.getCurrentCluster();
    if (cluster === null) throw new MeshError('CONFIG_INVALID', `${nameOf(this.#connection)} has no cluster for its current context`);
    const tls = await credentialsOf(this.#config, this.#connection);
    return {
      server: cluster.server.replace(/\/+$/, ''),
      dispatcher: this.#dispatcherFor(tls, cluster.proxyUrl),
      headers: headersOf(tls),
    };
  }

  reload(): void {
    this.#config = undefined;
  }

  /** Requests under way are cut off. */
  async close(): Promise<void> {
    const agent = this.#dispatcher?.agent;
    this.#dispatcher = undefined;
    await agent?.destroy();
  }

  #dispatcherFor(tls: TlsAndAuth, proxy: string | undefined): Dispatcher {
    const hash = createHash('sha256');
    for (const part of [tls.ca, tls.cert, tls.key, tls.servername, String(tls.rejectUnauthorized), proxy]) {
      hash.update(part ?? '').update('\0');
    }
    const fingerprint = hash.digest('hex');
    if (this.#dispatcher?.fingerprint === fingerprint) return this.#dispatcher.agent;
    // Watches on the old credentials end by themselves within their timeout.
    void this.#dispatcher?.agent.close().catch(() => {});
    const agent = makeDispatcher(tls, proxy);
    this.#dispatcher = { fingerprint, agent };
    return agent;
  }
}

function makeDispatcher(tls: TlsAndAuth, proxy: string | undefined): Dispatcher {
  const connect = {
    timeout: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveProbeMs,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.servername === undefined ? {} : { servername: tls.servername }),
    ...(tls.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: tls.rejectUnauthorized }),
  };
  if (proxy === undefined) return new Agent({ connect });
  return new ProxyAgent({ uri: proxy, requestTls: connect });
}

async function loadKubeConfig(connection: KubernetesConnection): Promise<KubeConfig> {
  // Costs about 115 MB of memory: only processes that watch a Kubernetes registry pay it.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    if (connection.kubeconfig === undefined) {
      if (process.env['KUBERNETES_SERVICE_HOST'] === undefined) throw new Error('this process does not run in a pod');
      config.loadFromCluster();
    } else {
      config.loadFromFile(connection.kubeconfig);
    }
  } catch (error) {
    throw new MeshError('CONFIG_INVALID', `${nameOf(connection)} cannot be read: ${reasonOf(error)}; check connection.kubeconfig`, {
      retryable: true,
      cause: withoutContent(error),
    });
  }
  if (connection.context !== undefined) {
    const known = config.getContexts().map((c) => c.name);
    if (!known.includes(connection.context)) {
      throw new MeshError('CONFIG_INVALID', `${nameOf(connection)} has no context "${connection.context}"; it has: ${known.join(', ')}`);
    }
    config.setCurrentContext(connection.context);
  }
  const proxy = config.getCurrentCluster()?.proxyUrl;
  if (proxy?.startsWith('socks') === true) {
    throw new MeshError('CONFIG_INVALID', `${nameOf(connection)} names a SOCKS proxy, which is not supported; use an HTTP proxy`);
  }
  return config;
}

async function credentialsOf(config: KubeConfig, connection: KubernetesConnection): Promise<TlsAndAuth> {
  const options: TlsAndAuth = {};
  try {
    await config.applyToHTTPSOptions(options as Parameters<KubeConfig['applyToHTTPSOptions']>[0]);
  } catch (error) {
    const message = `no credentials from ${nameOf(connection)}: ${reasonOf(error)}; check its user entry, its files and its exec plugin`;
    throw new MeshError('REGISTRY_REFUSED', message, { retryable: true, cause: withoutContent(error) });
  }
  return options;
}

function headersOf(options: TlsAndAuth): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // Token files usually end in a newline, which no header may hold.
    if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
  }
  if (options.auth !== undefined) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return headers;
}

function nameOf(connection: KubernetesConnection): string {
  return connection.kubeconfig === undefined ? 'the in-cluster configuration' : `kubeconfig ${connection.kubeconfig}`;
}

/** Messages of parsers quote what they parsed, which may be a credential. */
function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError || (error instanceof Error && error.name === 'YAMLException')) return 'malformed content';
  return error instanceof Error ? error.message : String(error);
}

function withoutContent(error: unknown): unknown {
  return reasonOf(error) === 'malformed content' ? undefined : error;
}
