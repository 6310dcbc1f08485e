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
  /** The packet filter leads its connections to the agent: nothing is bound. */
  readonly captured?: true;
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
  /** Beside 127.0.0.1, for explicit ports. Default none. */
  readonly listenAddresses?: readonly string[];
  /** Absent: no packet filter leads anything here. */
  readonly capture?: CapturePolicy;
}

export interface CapturePolicy {
  /** The rules are there: no port is bound but explicit ones, so none can be taken. */
  readonly inPlace: boolean;
  /** Canonical host → addresses by which programs here have it, beside its loopback address. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
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
      if (chosen !== undefined) {
        for (const at of new Set(['127.0.0.1', ...(policy.listenAddresses ?? [])]))
          listeners.push({ address: at, port: chosen, protocol, clusterName, host });
      }
      const own = policy.loopbackAddresses && address !== undefined ? [address] : [];
      // Also while there are no rules: they may come at any moment.
      if (policy.capture !== undefined) {
        for (const each of [...own, ...(policy.capture.addresses.get(host) ?? [])])
          listeners.push({ address: each, port, protocol, clusterName, host, captured: true });
      }
      if (!policy.loopbackAddresses || address === undefined || policy.capture?.inPlace === true) continue;
      if (policy.reserved.has(port)) taken.push({ host, port, reason: portTakenAdvice(host, port) });
      else listeners.push({ address, port, protocol, clusterName, host });
    }
  }
  return { listeners, taken };
}

export function portTakenAdvice(host: string, port: number): string {
  return `port ${port} belongs to a program of this machine; reach ${host} by an explicit port, --outbound ${host}:${port}=LOCAL_PORT, or bind none at all: vm join --capture and isthmus vm capture install`;
}

/** Of a port for callers without mesh. */
export function exposedTakenAdvice(service: string, { address, port }: { readonly address: string; readonly port: number }): string {
  const place = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  return `${place} belongs to a program of this machine, ${service} itself perhaps: callers without mesh reach that one past the agent, which neither counts nor refuses them; let it listen on 127.0.0.1 alone, or at another port (--app), and the agent takes this one within seconds`;
}

export function noRightAdvice(host: string, port: number): string {
  return `the agent may not listen on port ${port} (give it CAP_NET_BIND_SERVICE), or reach ${host} by an explicit port: --outbound ${host}:${port}=LOCAL_PORT`;
}
