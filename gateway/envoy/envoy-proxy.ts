import type { Clock } from '../../core/clock.ts';
import type { SvidSource, TrustBundle } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import { buildEnvoyBootstrap, flowFlushMs } from '../../core/xds/envoy/index.ts';
import { noClaims } from '../../core/xds/index.ts';
import type { CountsEntries } from './access-log-service.ts';
import { findEnvoy } from './binary.ts';
import { describeProxy, type ProxyStatus } from './describe-proxy.ts';
import { type LocalServer, startLocalServer } from './local-server.ts';
import { type EnvoyNode, envoyFiles, saveEnvoyNode } from './node-file.ts';
import { EnvoySupervisor } from './supervisor.ts';

export interface EnvoyProxyOptions {
  /** `none`: somebody else runs Envoy; it is served secrets, and nothing is started. */
  readonly mode: 'envoy' | 'none';
  /** Default: `envoy` of the search path. */
  readonly envoyPath: string | undefined;
  readonly stateDir: string;
  readonly node: EnvoyNode;
  readonly identity: SvidSource;
  /** The newest that is known. */
  readonly trust: () => TrustBundle;
  /** Whether the control plane answers this process. */
  readonly controlAnswers: () => boolean;
  /** `agent`: from `listeners` of the local server. */
  readonly listenersFrom: 'control' | 'agent';
  /** See EnvoyBootstrapInput. Default false. */
  readonly passthrough?: boolean;
  readonly drainMs: number;
  /** Of what Envoy carried. */
  readonly flows: CountsEntries;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly accessLog: (entry: Readonly<Record<string, unknown>>) => void;
}

/** Envoy in place of our own proxy: what it needs of this node, and, where we run it, the process. */
export interface EnvoyProxy {
  readonly local: LocalServer;
  status(): ProxyStatus;
  /** Resolves when Envoy serves what it was given at the start, or after `patienceMs`: without a control plane it waits a while for its first clusters. */
  serving(patienceMs: number, signal: AbortSignal): Promise<void>;
  /** Requests and byte streams of the Envoy that runs that it could not tell of, as far as is known. */
  lostEntries(): number;
  /** Envoy's own metrics in Prometheus's text form; empty while it gives none. */
  metrics(): Promise<string>;
  drain(deadlineMs: number): Promise<void>;
  /** Idempotent. */
  dispose(): Promise<void>;
}

const metricsPath = `/stats/prometheus?usedonly&filter=${encodeURIComponent('^(server|cluster_manager|listener_manager|cluster|listener|http|tcp)\\.')}`;
const metricsLimits = { maxBytes: 16 * 1024 * 1024, timeoutMs: 3_000 };

/**
 * Resolves when secrets are served and Envoy, if it is ours to run, was started; `status` says when it serves. MeshError
 * CONFIG_INVALID when there is no Envoy, or one that is too old, or the state directory's path is too long for sockets.
 */
export async function startEnvoyProxy(options: EnvoyProxyOptions): Promise<EnvoyProxy> {
  const { mode, envoyPath, stateDir, node, identity, trust, flows, clock, log } = options;
  const binary = mode === 'envoy' ? await findEnvoy(envoyPath, process.env['PATH'] ?? '') : undefined;
  const files = envoyFiles(stateDir);
  const local = await startLocalServer({ socket: files.socket, identity, trust, flows, clock, log });
  let supervisor: EnvoySupervisor | undefined;
  try {
    await saveEnvoyNode(stateDir, node);
    if (binary !== undefined) {
      supervisor = new EnvoySupervisor({ ...options, binary, files, bootstrap: bootstrapOf(options), concurrency: undefined });
      await supervisor.start();
    }
  } catch (error) {
    await supervisor?.dispose();
    await local.close();
    throw error;
  }
  return {
    local,
    status: () =>
      describeProxy({
        supervisor: supervisor?.status(),
        refused: local.refused(),
        controlAnswers: options.controlAnswers(),
        now: clock.now(),
      }),
    serving: async (patienceMs, signal) => supervisor?.live(patienceMs, signal),
    lostEntries: () => supervisor?.status().facts?.lostEntries ?? 0,
    metrics: async () => {
      const answer = await supervisor?.admin.get(metricsPath, metricsLimits).catch(() => undefined);
      return answer?.status === 200 ? answer.body : '';
    },
    drain: async (deadlineMs) => {
      if (supervisor === undefined) return;
      const deadline = clock.monotonic() + deadlineMs;
      await supervisor.drain(deadlineMs);
      // What was carried last is still to be told.
      await clock.sleep(Math.max(0, Math.min(flowFlushMs * 1.2, deadline - clock.monotonic())));
    },
    dispose: async () => {
      await supervisor?.dispose();
      await local.close();
    },
  };
}

function bootstrapOf({ node, stateDir, listenersFrom, passthrough = false }: EnvoyProxyOptions): object {
  const files = envoyFiles(stateDir);
  return buildEnvoyBootstrap({
    ...node,
    instance: `${node.instance}.envoy`,
    claims: { ...noClaims, ...(node.inbound.port === 0 ? {} : { inbound: node.inbound }) },
    agentSocket: files.socket,
    admin: { path: files.admin },
    listenersFrom,
    passthrough,
    transport: 'delta',
  });
}
