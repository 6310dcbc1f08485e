import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { ConsulConnection, RegistrySpec } from '../../core/config/index.ts';

/** A Registry object's spec whose connection is Consul's. */
export type ConsulSpec = RegistrySpec & { readonly connection: ConsulConnection };

/** Times in ms and counts that operators of very large or very distant Consuls, and tests, may want to turn. */
export interface ConsulTuning {
  /** How long Consul may hold a blocking query; default 5 min (its default; its maximum is 10 min). */
  readonly waitMs: number;
  /** What an answer may take beyond the wait (and its jitter of a sixteenth) before the connection counts as hung; default 10 s. */
  readonly marginMs: number;
  /**
   * Blocking queries at once, one per service; default 150. Consul takes 200 connections per client address
   * (`limits.http_max_conns_per_client`). With more services than this they take turns.
   */
  readonly maxQueries: number;
  /** Reads at once while everything is read; default 16. */
  readonly syncConcurrency: number;
  /** Waits between tries of an outage. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
}

export const defaultTuning: ConsulTuning = {
  waitMs: 300_000,
  marginMs: 10_000,
  maxQueries: 150,
  syncConcurrency: 16,
  backoff: { baseMs: 100, maxMs: 5_000 },
};

/** Datacenter, namespace and partition as query parameters; those that are not set are left to Consul. */
export function scopeOf(connection: ConsulConnection): Record<'dc' | 'ns' | 'partition', string | undefined> {
  return { dc: connection.datacenter, ns: connection.namespace, partition: connection.partition };
}

/** A Node HTTP agent with the connection's certificates, read now: what the `consul` package takes. */
export async function makeAgent(connection: ConsulConnection): Promise<HttpAgent | HttpsAgent> {
  const options = { keepAlive: true, maxSockets: 8 };
  if (!connection.url.startsWith('https:')) return new HttpAgent(options);
  const { caFile, certFile, keyFile, serverName } = connection.tls ?? {};
  const read = async (file: string | undefined) => (file === undefined ? undefined : await readFile(file));
  const [ca, cert, key] = await Promise.all([read(caFile), read(certFile), read(keyFile)]);
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), ...(serverName && { servername: serverName }) };
  return new HttpsAgent({ ...options, ...tls });
}
