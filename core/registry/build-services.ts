import { isIP } from 'node:net';
import {
  type EndpointRecord,
  type Health,
  type Locality,
  networkId,
  type Protocol,
  parseLocality,
  type Runtime,
  type ServicePort,
  serviceKey,
} from '../model/index.ts';
import type { Violation } from '../validate.ts';
import { isExcluded, type Named, type NativeName, nameService } from './apply-rules.ts';
import { isServiceAccount, labelsOf, parseProtocol, readHint } from './hints.ts';
import type { RegistryRules } from './rules.ts';
import type { ServicePart } from './service-index.ts';

/** One registered instance with one port, as registries of the Consul kind know it. */
export interface NativeInstance extends NativeName {
  /** Unique within the source. */
  readonly instance: string;
  readonly address: string;
  readonly port: number;
  readonly health: Health;
  readonly weight: number;
  /** Where the registry itself says; its hint and the rules come after. */
  readonly locality?: Locality;
  /** Registration order; the lowest is the oldest. */
  readonly order: number;
  /** The port was picked by a scheduler, so it is no number that callers could know. */
  readonly dynamicPort: boolean;
}

export interface BuiltServices {
  readonly parts: readonly ServicePart[];
  /** Instances that were left out, or said something that was ignored. */
  readonly violations: readonly Violation[];
}

/** Number of a service port whose instances all listen on ports that a scheduler picked, and that say no other. */
const defaultServicePort = 80;

interface Member {
  readonly native: NativeInstance;
  readonly named: Named;
  readonly protocol: Protocol;
  readonly portName: string | undefined;
  readonly servicePort: number;
}

/**
 * Mesh services of the instances of one native service: usually one; more when their namespaces differ. The service port is what
 * the oldest instance says (hint `port`), or listens on; each instance keeps its own. Labels of the service are those on which
 * all instances agree, so that an export by label never reaches an instance that does not carry it. Pure.
 */
export function buildServices(
  instances: readonly NativeInstance[],
  rules: RegistryRules,
  runtime: Runtime,
  createdAt: number,
): BuiltServices {
  const violations: Violation[] = [];
  const groups = new Map<string, Member[]>();
  const ordered = [...instances].sort((a, b) => a.order - b.order || (a.instance < b.instance ? -1 : 1));
  for (const native of ordered) {
    const named = nameService(native, rules);
    if (isExcluded(named)) {
      if (named.violation !== undefined) violations.push(named.violation);
      continue;
    }
    const unusable = whyUnusable(native);
    if (unusable !== undefined) {
      violations.push({ path: pathOf(native), message: unusable });
      continue;
    }
    const key = serviceKey(named.namespace, named.name);
    groups.set(key, [...(groups.get(key) ?? []), memberOf(native, named, rules, violations)]);
  }
  return { parts: [...groups.values()].map((members) => buildPart(members, rules, runtime, createdAt, violations)), violations };
}

function buildPart(
  members: readonly Member[],
  rules: RegistryRules,
  runtime: Runtime,
  createdAt: number,
  violations: Violation[],
): ServicePart {
  const ports = new Map<string, ServicePort>();
  const unnamed = members.find((m) => m.portName === undefined)?.protocol ?? rules.protocol;
  const endpoints: EndpointRecord[] = [];
  for (const member of members) {
    const name = member.portName ?? unnamed;
    const taken = [...ports.values()].find((p) => p.port === member.servicePort && p.name !== name);
    if (!ports.has(name) && taken !== undefined) {
      violations.push({
        path: pathOf(member.native),
        message: `service port ${taken.port} is "${taken.name}" already: say another with isthmus-port`,
      });
      continue;
    }
    if (!ports.has(name)) ports.set(name, { name, port: member.servicePort, protocol: member.protocol });
    endpoints.push(buildEndpoint(member, name, rules, runtime, violations));
  }
  const [first, ...rest] = endpoints;
  const labels = Object.entries(first?.labels ?? {}).filter(([k, v]) => rest.every((e) => e.labels[k] === v));
  const { namespace = '', name = '', renamed = false } = members[0]?.named ?? {};
  return { renamed, record: { namespace, name, ports: [...ports.values()], endpoints, labels: Object.fromEntries(labels), createdAt } };
}

function buildEndpoint(member: Member, portName: string, rules: RegistryRules, runtime: Runtime, violations: Violation[]): EndpointRecord {
  const { native, named } = member;
  const said = readHint(native.meta, native.tags, 'service-account');
  if (said !== undefined && !isServiceAccount(said)) {
    violations.push({ path: pathOf(native), message: `service account "${said.slice(0, 80)}" is none: the Registry's is used` });
  }
  const hinted = readHint(native.meta, native.tags, 'locality');
  return {
    instance: native.instance,
    network: networkId(rules.network),
    address: native.address,
    ports: { [portName]: native.port },
    health: native.health,
    weight: native.weight,
    locality: hinted !== undefined ? parseLocality(hinted) : (native.locality ?? parseLocality(rules.locality)),
    labels: labelsOf(native.meta, native.tags),
    identityNamespace: named.namespace,
    serviceAccount: said !== undefined && isServiceAccount(said) ? said : rules.serviceAccount,
    tlsMode: rules.tlsMode,
    runtime,
    attested: false,
  };
}

function memberOf(native: NativeInstance, named: Named, rules: RegistryRules, violations: Violation[]): Member {
  const hint = (name: 'protocol' | 'port' | 'port-name') => readHint(native.meta, native.tags, name);
  const saidProtocol = hint('protocol');
  const protocol = saidProtocol === undefined ? rules.protocol : parseProtocol(saidProtocol);
  if (protocol === undefined) {
    const message = `protocol "${saidProtocol?.slice(0, 40)}" is not one of tcp, http, http2, grpc, tls: the Registry's is used`;
    violations.push({ path: pathOf(native), message });
  }
  const saidPort = hint('port');
  const port = saidPort === undefined ? undefined : parsePort(saidPort);
  if (saidPort !== undefined && port === undefined) {
    violations.push({ path: pathOf(native), message: `service port "${saidPort.slice(0, 40)}" is not 1-65535: ignored` });
  }
  const fallback = native.dynamicPort ? defaultServicePort : native.port;
  return { native, named, protocol: protocol ?? rules.protocol, portName: hint('port-name') || undefined, servicePort: port ?? fallback };
}

function whyUnusable(native: NativeInstance): string | undefined {
  if (isIP(native.address) === 0)
    return `address "${native.address.slice(0, 80)}" is no IP: register one, or leave this service out in the Registry`;
  if (!isPort(native.port)) return `port ${native.port} is not 1-65535: register the port on which it answers`;
  return undefined;
}

function parsePort(text: string): number | undefined {
  return /^[0-9]{1,5}$/.test(text) && isPort(Number(text)) ? Number(text) : undefined;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function pathOf(native: NativeInstance): string {
  return `services["${native.name}"].instances["${native.instance}"]`;
}
