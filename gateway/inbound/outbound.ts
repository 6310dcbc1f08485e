import type { Socket } from 'node:net';
import type { TcpEnd } from '../../core/os/index.ts';
import type { CountedContext } from '../counted-context.ts';
import { DataPlane } from '../data-plane.ts';
import { type Carrier, destinationKey, type PlainRule } from '../engine/index.ts';
import type { DataPlaneState } from '../state/index.ts';
import { clusterTables, knownRouting, type Rules } from '../tables.ts';
import type { CaptureListener, Outbound, OutboundCallers, OutboundListener } from './contract.ts';

/** See Outbound. Whoever can connect may call: the address it binds is the border, so bind loopback. */
export function createOutbound(context: CountedContext, callers?: OutboundCallers): Outbound {
  const rules = new Map<string, PlainRule>();
  const captured = new Map<string, string>();
  /** Closed CIDRs by the listeners' names. */
  const captures = new Map<string, readonly string[]>();
  const rulesNow = () => {
    const byDestination: ReadonlyMap<string, string> = new Map(captured);
    const capturing = new Map([...captures].map(([name, closed]) => [name, { byDestination, closed }] as const));
    return { ...outboundRules(rules, context.state.current), captured: capturing };
  };
  // A data plane for each identity: pools, sessions and health of one are never another's.
  const others = new Map([...(callers?.contexts ?? [])].map(([name, each]) => [name, new DataPlane(each, rulesNow)] as const));
  const carrier = callers === undefined ? undefined : (socket: Socket, to: TcpEnd) => carrierOf(callers, others, socket, to);
  const own = new DataPlane(context, rulesNow, carrier);
  const all = [own, ...others.values()];
  let due: Promise<void> | undefined;
  /** Once for all that open together, as an agent opens a thousand. */
  const refresh = () => {
    due ??= Promise.resolve().then(() => {
      due = undefined;
      for (const plane of all) plane.refresh();
    });
    return due;
  };
  let opened = 0;
  return {
    listen: async (listener) => {
      const { clusterName, protocol } = listener;
      opened += 1;
      const name = `outbound ${clusterName} ${opened}`;
      rules.set(name, { clusterName, protocol, allow: 'any' });
      const undo = listener.captured === true ? lead(captured, listener, name) : () => {};
      // Before it can accept, as an engine may do on a thread of its own.
      await refresh();
      const forget = () => {
        rules.delete(name);
        undo();
        void refresh();
      };
      if (listener.captured === true) return { address: listener.address, port: listener.port, close: async () => forget() };
      try {
        const open = await own.listen({ name, address: listener.address, port: listener.port, kind: 'plain' });
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
    capture: async ({ address, port, closed }: CaptureListener) => {
      const name = `capture ${address} ${port}`;
      captures.set(name, closed);
      await refresh();
      return own.listen({ name, address, port, kind: 'captured' });
    },
    inUse: () => new Set(all.flatMap((plane) => [...plane.inUse])),
    drain: async (deadlineMs) => {
      await Promise.all(all.map((plane) => plane.drain(deadlineMs)));
    },
    dispose: async () => {
      await Promise.all(all.map((plane) => plane.dispose()));
    },
  };
}

async function carrierOf(
  callers: OutboundCallers,
  planes: ReadonlyMap<string, DataPlane>,
  socket: Socket,
  destination: TcpEnd,
): Promise<Carrier> {
  const caller = await callers.callerOf(socket, destination);
  if (caller === 'own') return 'this';
  if ('refused' in caller) return caller;
  return planes.get(caller.identity) ?? { refused: `the identity ${caller.identity} is not known here` };
}

/** The destination is the newest one's that asked for it. */
function lead(captured: Map<string, string>, listener: OutboundListener, name: string): () => void {
  const key = destinationKey(listener);
  captured.set(key, name);
  return () => {
    if (captured.get(key) === name) captured.delete(key);
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
