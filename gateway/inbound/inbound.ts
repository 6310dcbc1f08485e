import type { CountedContext } from '../counted-context.ts';
import { DataPlane } from '../data-plane.ts';
import type { Inbound, InboundService } from './contract.ts';
import { inboundRules } from './rules.ts';

/** See Inbound. Dispose it before its context's parts. */
export function createInbound(context: CountedContext): Inbound {
  let services: readonly InboundService[] = [];
  const plane = new DataPlane(context, () => inboundRules(services, context.state.current, context.node.cluster));
  return {
    serve: (next) => {
      services = next;
      plane.refresh();
    },
    listen: ({ address, port }) => plane.listen({ name: 'inbound', address, port, kind: 'sni' }),
    drain: (deadlineMs) => plane.drain(deadlineMs),
    dispose: () => plane.dispose(),
  };
}
