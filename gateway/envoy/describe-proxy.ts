import type { RefusedResource } from './local-server.ts';
import type { SupervisorStatus } from './supervisor.ts';

/** What carries this node's traffic. */
export type ProxyStatus =
  | { readonly kind: 'isthmus' }
  /** Envoys that somebody else runs. */
  | { readonly kind: 'none' }
  | EnvoyStatus;

export interface EnvoyStatus {
  readonly kind: 'envoy';
  readonly state: SupervisorStatus['state'];
  readonly version: string;
  readonly pid?: number;
  /** Times that it ended without being told to, and why the last time. */
  readonly restarts: number;
  readonly lastExit?: string;
  /** Its own stream to the control plane is open. */
  readonly connected: boolean;
  /** Since it last took changed clusters or listeners; absent: it has taken none. */
  readonly lastUpdateAgeMs?: number;
  /** Updates that it refused since it started. */
  readonly updateRejected: number;
  /** Of what this node made for it. What it refuses of the control plane's, `isthmus status` tells. */
  readonly refused: readonly RefusedResource[];
  readonly connections: number;
  /** What is wrong, for people. */
  readonly problem?: string;
}

/** Before there is anything to describe. */
export function proxyBefore(kind: ProxyStatus['kind']): ProxyStatus {
  if (kind !== 'envoy') return { kind };
  return { kind, state: 'starting', version: '', restarts: 0, connected: false, updateRejected: 0, refused: [], connections: 0 };
}

/** As long as it may take Envoy to find a control plane again. */
const patienceMs = 30_000;

/** Pure. */
export function describeProxy(parts: {
  readonly supervisor: SupervisorStatus | undefined;
  readonly refused: readonly RefusedResource[];
  readonly controlAnswers: boolean;
  /** Unix ms. */
  readonly now: number;
}): ProxyStatus {
  const { supervisor, refused, controlAnswers, now } = parts;
  if (supervisor === undefined) return { kind: 'none' };
  const { facts, disconnectedMs, ...process } = supervisor;
  const problem = problemOf(supervisor, refused, controlAnswers);
  return {
    kind: 'envoy',
    ...process,
    connected: facts?.connected ?? false,
    ...(facts?.updatedAt === undefined ? {} : { lastUpdateAgeMs: Math.max(0, now - facts.updatedAt) }),
    updateRejected: facts?.updateRejected ?? 0,
    refused,
    connections: facts?.connections ?? 0,
    ...(problem === undefined ? {} : { problem }),
  };
}

function problemOf(
  { state, lastExit, disconnectedMs, facts }: SupervisorStatus,
  refused: readonly RefusedResource[],
  controlAnswers: boolean,
): string | undefined {
  if (state === 'down') return `Envoy ${lastExit ?? 'is not running'}: it is started again; see the log`;
  if (controlAnswers && disconnectedMs > patienceMs) {
    return `Envoy has had no stream to the control plane for ${Math.round(disconnectedMs / 1_000)} s, although it answers the agent: Envoy goes on with what it has`;
  }
  const [first] = refused;
  if (first !== undefined) return `Envoy refused ${refused.length} of this node's resources, ${first.name} first: ${first.reason}`;
  if ((facts?.updateRejected ?? 0) > 0) return `Envoy refused ${facts?.updateRejected} updates: see its log, or isthmus status`;
  return undefined;
}
