import type { EngineLimits, EngineTables } from '../../../gateway/engine/contract.ts';
import type { EndpointState } from '../../../gateway/state/types.ts';
import { clusterName, type EngineHarness, sni } from '../../contract/engine/harness.ts';

export type EngineName = 'native' | 'node';

export const engines: readonly EngineName[] = ['native', 'node'];

/** What an engine in a process of its own is to do: both of its listeners lead to these ports of 127.0.0.1. */
export interface Brief {
  readonly engine: EngineName;
  readonly limits: Partial<EngineLimits>;
  readonly ports: readonly number[];
  readonly connectTimeoutMs: number;
  /** Whether it is told when memory is short, and by how much. Default false. */
  readonly guarded?: boolean;
}

/** What its test sees of it. */
export interface Look {
  readonly open: number;
  readonly accepted: number;
  readonly ended: Readonly<Record<string, number>>;
  readonly troubles: readonly { readonly what: string; readonly detail: string }[];
  /** By `PORT RESULT`. */
  readonly attempts: Readonly<Record<string, number>>;
  /** The last report of each reason. */
  readonly last: Readonly<Record<string, { readonly detail: string; readonly flags: readonly string[] }>>;
  /** Connections that reports have told of. */
  readonly reported: number;
  /** CPU time of the process so far. */
  readonly cpuMs: number;
}

/** One cluster, by its name and at the plain listener. */
export function passthroughTo(endpoints: readonly EndpointState[], connectTimeoutMs = 5_000): Partial<EngineTables> {
  const place = { host: 'orders.shop.mesh.internal', namespace: 'shop', service: 'orders' };
  return {
    sni: new Map([[sni, { mode: 'passthrough', clusterName }]]),
    plain: new Map([['plain', { clusterName, protocol: 'tcp', allow: 'any' }]]),
    clusters: new Map([[clusterName, { name: clusterName, ...place, protocol: 'tcp', connectTimeoutMs, endpoints }]]),
  };
}

/** Its port, on every address of this machine. */
export async function listenAt({ engine }: EngineHarness, kind: 'sni' | 'plain'): Promise<number> {
  return (await engine.listen({ name: kind, address: '0.0.0.0', port: 0, kind })).port;
}
