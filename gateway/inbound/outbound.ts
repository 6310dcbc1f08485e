import type { CountedContext } from '../counted-context.ts';
import { DataPlane } from '../data-plane.ts';
import type { PlainRule } from '../engine/index.ts';
import type { DataPlaneState } from '../state/index.ts';
import { clusterTables, knownRouting, type Rules } from '../tables.ts';
import type { Outbound, OutboundListener } from './contract.ts';

/** See Outbound. Whoever can connect may call: the address it binds is the border, so bind loopback. */
export function createOutbound(context: CountedContext): Outbound {
  const rules = new Map<string, PlainRule>();
  const plane = new DataPlane(context, () => outboundRules(rules, context.state.current));
  let opened = 0;
  return {
    listen: async ({ address, port, clusterName, protocol }: OutboundListener) => {
      opened += 1;
      const name = `outbound ${clusterName} ${opened}`;
      rules.set(name, { clusterName, protocol, allow: 'any' });
      plane.refresh();
      const forget = () => {
        rules.delete(name);
        plane.refresh();
      };
      try {
        const open = await plane.listen({ name, address, port, kind: 'plain' });
        return {
          ...open,
          close: async () => {
            await open.close();
            forget();
          },
        };
      } catch (error) {
        forget();
        throw error;
      }
    },
    inUse: () => plane.inUse,
    drain: (deadlineMs) => plane.drain(deadlineMs),
    dispose: () => plane.dispose(),
  };
}

/** The routing of a listener is looked up anew in each state, by the xDS cluster of its port: a change of rules opens and closes nothing. */
function outboundRules(open: ReadonlyMap<string, PlainRule>, state: DataPlaneState): Rules {
  const routingOf = new Map<string, string>();
  for (const listener of state.listeners.values()) {
    if (listener.kind !== 'service') continue;
    for (const { clusterName, routingName } of listener.ports) if (routingName !== undefined) routingOf.set(clusterName, routingName);
  }
  const { routings } = state;
  const plain = [...open].map(([name, rule]) => [name, { ...rule, ...knownRouting(routings, routingOf.get(rule.clusterName)) }] as const);
  return { sni: new Map(), plain: new Map(plain), clusters: clusterTables(state), routings };
}
