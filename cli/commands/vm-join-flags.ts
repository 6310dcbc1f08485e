import { hostname } from 'node:os';
import { InvalidArgumentError } from 'commander';
import type { AgentOptionsInput } from '../../sidecar-vm/main.ts';
import { workloadApiOf } from './vm-identity-flags.ts';
import { captureOptionsOf, type JoinCaptureFlags } from './vm-join-capture.ts';
import { type ServiceFlags, servicesOf } from './vm-join-services.ts';

export interface JoinFlags extends JoinCaptureFlags, ServiceFlags {
  readonly callOnly?: boolean;
  readonly address?: string;
  readonly network?: string;
  readonly locality: string;
  readonly label: Readonly<Record<string, string>>;
  readonly instance: string;
  readonly stateDir: string;
  readonly inbound?: Listen;
  readonly outbound: Readonly<Record<string, number>>;
  readonly reservedPorts: readonly number[];
  readonly listenAddress: readonly string[];
  readonly loopback: boolean;
  readonly dns: Listen;
  readonly dnsUpstream: readonly string[];
  readonly admin: Listen;
  readonly proxy: AgentOptionsInput['proxy'];
  readonly envoyPath?: string;
  readonly engine?: 'auto' | 'native' | 'node';
  readonly engineThreads?: number;
  readonly maxConnections?: number;
  readonly maxConnectionsPerSource?: number;
  readonly discovery?: 'all' | 'on-demand';
  readonly forgetAfter: number;
  readonly drain: number;
  readonly grpc?: boolean;
  readonly workloadApi?: string | true;
}

export interface Listen {
  readonly address: string;
  readonly port: number;
}

export const usualStateDir = '/var/lib/isthmus-agent';
export const usualInstance = () => hostname().toLowerCase().split('.')[0] ?? 'vm';

/** What the flags say, for parseAgentOptions to judge. */
export function agentOptionsOf(
  token: string,
  flags: JoinFlags & { readonly network: string; readonly address: string; readonly inbound: Listen },
): AgentOptionsInput {
  const { address, network, locality, instance, stateDir, dns, admin, proxy, envoyPath } = flags;
  return {
    stateDir,
    token,
    instance,
    address,
    network,
    locality,
    labels: flags.label,
    services: servicesOf(flags, address),
    inbound: flags.inbound,
    outbound: {
      explicit: flags.outbound,
      reservedPorts: [...flags.reservedPorts],
      ...(flags.listenAddress.length === 0 ? {} : { listenAddresses: [...flags.listenAddress] }),
      ...(flags.loopback ? {} : { loopbackAddresses: false }),
    },
    ...captureOptionsOf(flags),
    dns: { ...dns, upstreams: [...flags.dnsUpstream] },
    admin,
    proxy,
    ...(envoyPath === undefined ? {} : { envoyPath }),
    ...carriedBy(flags),
    ...(flags.discovery === undefined ? {} : { discovery: flags.discovery }),
    forgetAfterMs: flags.forgetAfter,
    drainMs: flags.drain,
    grpc: flags.grpc === true,
    ...workloadApiOf(flags),
  };
}

function carriedBy(flags: JoinFlags): Partial<AgentOptionsInput> {
  const { engine, engineThreads, maxConnections, maxConnectionsPerSource } = flags;
  return {
    ...(engine === undefined ? {} : { engine }),
    ...(engineThreads === undefined ? {} : { engineThreads }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(maxConnectionsPerSource === undefined ? {} : { maxConnectionsPerSource }),
  };
}

export function listenFlag(text: string): Listen {
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  const address = text.slice(0, Math.max(0, colon)).replace(/^\[(.*)\]$/, '$1');
  if (colon < 1 || !/^[0-9]{1,5}$/.test(text.slice(colon + 1)) || port > 65_535) {
    throw new InvalidArgumentError('It must be ADDRESS:PORT; port 0 takes any free one.');
  }
  return { address, port };
}

/** `HOST:PORT=LOCAL`, several times. */
export function outboundFlag(text: string, before: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const match = /^([A-Za-z0-9.-]+:[0-9]{1,5})=([0-9]{1,5})$/.exec(text);
  const local = Number(match?.[2]);
  if (match?.[1] === undefined || local < 1 || local > 65_535) {
    throw new InvalidArgumentError('It must be HOST:PORT=LOCAL_PORT, such as payments.shop.mesh.internal:80=18080.');
  }
  return { ...before, [match[1].toLowerCase()]: local };
}

export function portsFlag(text: string, before: readonly number[]): readonly number[] {
  const ports = text.split(',').map(Number);
  if (ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535)) {
    throw new InvalidArgumentError('It must be ports, 1-65535, separated by commas.');
  }
  return [...before, ...ports];
}

export function labelFlag(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be KEY=VALUE.');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
