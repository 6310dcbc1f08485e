import type { Report } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import type { RegisteredInstance } from '../../registries/vm/index.ts';

/** More gateways than anybody keeps tunnels to. */
const most = 256;

/** With what an instance says of its tunnels; one that can be dialled keeps none, whatever it says. Pure. */
export function withTunnels<R extends RegisteredInstance>(record: R, report: Report): R {
  if (record.tunnel === undefined) return record;
  const names = (report.tunnels?.kept ?? []).map(({ cluster, instance }) => `${cluster}/${instance}`).filter((name) => name.length <= 320);
  return { ...record, tunnel: { ...record.tunnel, gateways: [...new Set(names)].sort().slice(0, most) } };
}

/** Tunnels outlive a stream to the control plane, and most starts of it: those that stood are known until it says otherwise. Pure. */
export function inheritTunnels<R extends RegisteredInstance>(record: R, before: RegisteredInstance): R {
  const { tunnel } = record;
  if (tunnel === undefined || before.tunnel?.secretSha256 !== tunnel.secretSha256 || before.generation !== record.generation) return record;
  return { ...record, tunnel: before.tunnel };
}
