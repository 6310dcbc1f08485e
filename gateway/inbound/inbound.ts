import type { CountedContext } from '../counted-context.ts';
import { DataPlane } from '../data-plane.ts';
import type { Inbound, InboundService } from './contract.ts';
import { PlaintextCounter } from './plaintext-counter.ts';
import { exposedName, exposedPorts, inboundRules } from './rules.ts';

/** See Inbound. Dispose it before its context's parts. */
export function createInbound(context: CountedContext): Inbound {
  let services: readonly InboundService[] = [];
  let undo: (() => void)[] = [];
  const forget = () => {
    for (const end of undo.splice(0)) end();
  };
  const plaintext = new PlaintextCounter(context.clock);
  const plane = new DataPlane(countedBy(plaintext, context), () => inboundRules(services, context.state.current, context.node.cluster));
  return {
    serve: (next) => {
      services = next;
      plaintext.keepOnly(exposedPorts(next));
      forget();
      const owners = new Set(next.flatMap(({ identity }) => (identity === undefined ? [] : [identity])));
      undo = [...owners].map((owner) => owner.subscribe(() => plane.refresh()));
      plane.refresh();
    },
    listen: ({ address, port }) => plane.listen({ name: 'inbound', address, port, kind: 'sni' }),
    expose: ({ address, port }) => plane.listen({ name: exposedName({ address, port }), address, port, kind: 'exposed' }),
    plaintext,
    engine: plane.engine,
    drain: (deadlineMs) => plane.drain(deadlineMs),
    dispose: () => {
      forget();
      return plane.dispose();
    },
  };
}

/** Besides what is told to the control plane of all traffic. */
function countedBy(counter: PlaintextCounter, context: CountedContext): CountedContext {
  const { flows } = context;
  return {
    ...context,
    flows: {
      request: (report) => {
        counter.request(report);
        flows?.request(report);
      },
      opened: (report) => {
        counter.opened(report);
        flows?.opened(report);
      },
      connection: (report) => {
        counter.connection(report);
        flows?.connection(report);
      },
      copy: (clusterName) => flows?.copy(clusterName),
    },
  };
}
