import type { DataPlaneContext } from '../context.ts';
import { DataPlane } from '../data-plane.ts';
import type { PlainRule } from '../engine/index.ts';
import { clusterTables } from '../tables.ts';
import type { Outbound, OutboundListener } from './contract.ts';

/** See Outbound. Whoever can connect may call: the address it binds is the border, so bind loopback. */
export function createOutbound(context: DataPlaneContext): Outbound {
  const rules = new Map<string, PlainRule>();
  const plane = new DataPlane(context, () => ({ sni: new Map(), plain: new Map(rules), clusters: clusterTables(context.state.current) }));
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
