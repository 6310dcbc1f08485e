import type { ServicePort } from '../../core/model/index.ts';
import { compareText } from './shard.ts';
import type { Contribution, ServiceCondition } from './view.ts';

export interface MergedPorts {
  readonly ports: readonly ServicePort[];
  readonly conflicts: readonly ServiceCondition[];
  /** For each contribution in order: its own port name → the merged port's name, for the ports on which it agrees. */
  readonly agreed: readonly ReadonlyMap<string, string>[];
}

/**
 * The union of all ports; where two say different things of one number or one name, the older contribution wins (MCS API,
 * conflict resolution). Number and protocol are what callers depend on: with them equal, another name is no conflict.
 */
export function mergePorts(contributions: readonly Contribution[]): MergedPorts {
  const byNumber = new Map<number, { port: ServicePort; owner: Contribution }>();
  const byName = new Map<string, { port: ServicePort; owner: Contribution }>();
  const conflicts: ServiceCondition[] = [];
  const agreed = contributions.map((owner) => {
    const names = new Map<string, string>();
    for (const port of owner.ports) {
      const same = byNumber.get(port.port);
      if (same !== undefined && same.port.protocol === port.protocol) {
        names.set(port.name, same.port.name);
        continue;
      }
      const rival = same ?? byName.get(port.name);
      if (rival === undefined) {
        byNumber.set(port.port, { port, owner });
        byName.set(port.name, { port, owner });
        names.set(port.name, port.name);
      } else {
        conflicts.push(conflict(owner, port, rival));
      }
    }
    return names;
  });
  const ports = [...byNumber.values()].map((p) => p.port).sort((a, b) => a.port - b.port || compareText(a.name, b.name));
  return { ports, conflicts, agreed };
}

function conflict(owner: Contribution, port: ServicePort, rival: { port: ServicePort; owner: Contribution }): ServiceCondition {
  const text = (p: ServicePort) => `${p.name} ${p.port}/${p.protocol}`;
  const winner = { cluster: rival.owner.cluster, source: rival.owner.source, port: rival.port };
  return {
    type: 'PortConflict',
    cluster: owner.cluster,
    source: owner.source,
    port,
    winner,
    message: `${owner.cluster}/${owner.source} says ${text(port)}, but ${winner.cluster}/${winner.source} is older and says ${text(rival.port)}; its endpoints are not used for that port`,
  };
}
