import type { Protocol } from '../../core/model/index.ts';
import type { AddressTable } from './allocate-addresses.ts';

/** One mesh service as this VM may call it. */
export interface OutboundService {
  /** Canonical name first; the address belongs to it. */
  readonly hosts: readonly [string, ...string[]];
  readonly ports: readonly { readonly port: number; readonly protocol: Protocol; readonly clusterName: string }[];
}

export interface PlannedListener {
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly clusterName: string;
  readonly host: string;
}

/** A port the agent leaves to the VM's own programs. `reason` says what to do instead. */
export interface PortTaken {
  readonly host: string;
  readonly port: number;
  readonly reason: string;
}

export interface ListenerPolicy {
  /** Ports of the VM's own services and `reservedPorts`: never bound on any loopback address. */
  readonly reserved: ReadonlySet<number>;
  /** `HOST:PORT` → a port of 127.0.0.1 that the operator chose. These work whatever else is reserved. */
  readonly explicit: ReadonlyMap<string, number>;
  /** Bind 127.64.x.y addresses; false where only explicit ports are wanted (macOS). */
  readonly loopbackAddresses: boolean;
}

/**
 * Pure. On Linux a wildcard bind of port P and a bind of 127.64.x.y:P exclude each other, whoever comes first, and the
 * app wins: so a port that the VM's own programs use is planned nowhere, and reported.
 */
export function planListeners(
  services: readonly OutboundService[],
  addresses: AddressTable,
  policy: ListenerPolicy,
): { readonly listeners: readonly PlannedListener[]; readonly taken: readonly PortTaken[] } {
  const listeners: PlannedListener[] = [];
  const taken: PortTaken[] = [];
  for (const service of services) {
    const host = service.hosts[0];
    const address = addresses.assigned.get(host);
    for (const { port, protocol, clusterName } of service.ports) {
      const chosen = policy.explicit.get(`${host}:${port}`);
      if (chosen !== undefined) listeners.push({ address: '127.0.0.1', port: chosen, protocol, clusterName, host });
      if (!policy.loopbackAddresses || address === undefined) continue;
      if (policy.reserved.has(port)) taken.push({ host, port, reason: portTakenAdvice(host, port) });
      else listeners.push({ address, port, protocol, clusterName, host });
    }
  }
  return { listeners, taken };
}

export function portTakenAdvice(host: string, port: number): string {
  return `port ${port} belongs to a program of this machine; reach ${host} by an explicit port: --outbound ${host}:${port}=LOCAL_PORT`;
}

export function noRightAdvice(host: string, port: number): string {
  return `the agent may not listen on port ${port} (give it CAP_NET_BIND_SERVICE), or reach ${host} by an explicit port: --outbound ${host}:${port}=LOCAL_PORT`;
}
