import type { InboundService } from '../gateway/index.ts';

/** Envoy's response flags for an app that could not be reached or went away mid-way. */
const badSigns: ReadonlySet<string> = new Set(['UF', 'UC', 'UH', 'URX']);

/**
 * Which of this machine's services an access log entry speaks ill of: real traffic notices a dead app sooner than the next check.
 * Pure; undefined for entries of other listeners.
 */
export function suspectOf(
  entry: Readonly<Record<string, unknown>>,
  services: readonly InboundService[],
): { readonly namespace: string; readonly name: string } | undefined {
  const { upstream_cluster: cluster, response_flags: flags } = entry;
  if (typeof cluster !== 'string' || !cluster.startsWith('inbound|') || typeof flags !== 'string') return undefined;
  if (!flags.split(',').some((flag) => badSigns.has(flag))) return undefined;
  const [, port, , host] = cluster.split('|');
  const found = services.find((service) => String(service.port) === port && service.hosts[0] === host);
  return found === undefined ? undefined : { namespace: found.namespace, name: found.service };
}
