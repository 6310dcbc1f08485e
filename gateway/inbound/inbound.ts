import type { CountedContext } from '../counted-context.ts';
import { DataPlane } from '../data-plane.ts';
import type { Inbound, InboundService } from './contract.ts';
import { inboundRules } from './rules.ts';

/** See Inbound. Dispose it before its context's parts. */
export function createInbound(context: CountedContext): Inbound {
  let services: readonly InboundService[] = [];
  let undo: (() => void)[] = [];
  const forget = () => {
    for (const end of undo.splice(0)) end();
  };
  const plane = new DataPlane(context, () => inboundRules(services, context.state.current, context.node.cluster));
  return {
    serve: (next) => {
      services = next;
      forget();
      const owners = new Set(next.flatMap(({ identity }) => (identity === undefined ? [] : [identity])));
      undo = [...owners].map((owner) => owner.subscribe(() => plane.refresh()));
      plane.refresh();
    },
    listen: ({ address, port }) => plane.listen({ name: 'inbound', address, port, kind: 'sni' }),
    drain: (deadlineMs) => plane.drain(deadlineMs),
    dispose: () => {
      forget();
      return plane.dispose();
    },
  };
}
