import { exchange } from '../servers/http-request.ts';
import type { ProxyAdmin } from './proxies.ts';

export interface EnvoyUpdates {
  /** Name of every counter of updates that were refused, with its value. */
  readonly rejected: Readonly<Record<string, number>>;
  readonly accepted: number;
}

/** What Envoy, beside an agent or gateway, made of what the control plane told it. */
export async function envoyUpdates({ name, metricsUrl }: ProxyAdmin): Promise<EnvoyUpdates> {
  const reply = await exchange({ url: metricsUrl });
  if (reply.status !== 200) throw new Error(`${name} answers ${reply.status} for its metrics`);
  const counters = [...reply.body.matchAll(/^(envoy_[a-z0-9_]*update_(rejected|success)(?:\{[^}]*\})?) ([0-9.e+]+)$/gim)];
  const of = (kind: string) => counters.filter((match) => match[2] === kind).map((match) => [match[1] ?? '', Number(match[3])] as const);
  return { rejected: Object.fromEntries(of('rejected')), accepted: of('success').reduce((sum, [, value]) => sum + value, 0) };
}
