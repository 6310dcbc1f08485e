import { version } from '../core/version.ts';
import type { agent } from '../core/xds/index.ts';
import type { AgentOptions } from './options.ts';

export interface Place {
  /** Undefined while none is known: the control plane says so to whoever needs one. */
  readonly address: string | undefined;
  /** The one that was bound. */
  readonly inboundPort: number;
  /** What is open for callers without mesh. Default: nothing is. */
  readonly isExposed?: (service: AgentOptions['services'][number]) => boolean;
}

/** What this machine registers as. Pure. */
export function helloOf(options: AgentOptions, place: Place, tunnel?: agent.TunnelOffer): Omit<agent.Hello, 'generation' | 'start'> {
  const { instance, network, labels, locality } = options;
  const { address, inboundPort, isExposed } = place;
  const services = options.services.map((service, index, all) => {
    const { namespace, name, port, protocol, expose } = service;
    const exposed = expose !== undefined && isExposed?.(service) === true ? { expose } : {};
    return { namespace, name, port, protocol, portName: portName(protocol, port, all, index), ...exposed };
  });
  return {
    instance,
    network,
    addresses: address === undefined ? [] : [address],
    role: { $case: 'workload', value: { services, inboundPort, ...(tunnel === undefined ? {} : { tunnel }) } },
    labels,
    locality,
    version,
  };
}

/** The protocol alone, as Istio names ports; with the port where one service speaks it on several. */
function portName(protocol: string, port: number, all: AgentOptions['services'], index: number): string {
  const self = all[index];
  const alike = all.filter((s) => s.namespace === self?.namespace && s.name === self?.name && s.protocol === protocol);
  return alike.length > 1 ? `${protocol}-${port}` : protocol;
}
