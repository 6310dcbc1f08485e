import { isIP } from 'node:net';
import type { EndpointRecord, ServicePort, ServiceRecord } from '../../core/model/index.ts';
import { isDnsLabel } from '../../core/model/index.ts';

export interface Admitted {
  /** Undefined: nothing of it can be used. */
  readonly record: ServiceRecord | undefined;
  /** What was left out, and why. */
  readonly refused: readonly string[];
}

/**
 * Leaves out what no snapshot could hold, part by part: a registry or a peer that says nonsense of one endpoint must not keep the
 * others, or another source's, from being served.
 */
export function admit(record: ServiceRecord): Admitted {
  const id = `${record.namespace}/${record.name}`;
  if (!isDnsLabel(record.namespace) || !isDnsLabel(record.name)) {
    return { record: undefined, refused: [`${short(id)}: namespace and name must be DNS labels`] };
  }
  const refused: string[] = [];
  const names = new Set<string>();
  const ports = record.ports.filter((p) => {
    const why = portFault(p, names);
    if (why !== undefined) refused.push(`${id} port ${short(p.name)}: ${why}`);
    names.add(p.name);
    return why === undefined;
  });
  const endpoints = record.endpoints.filter((e) => {
    const why = endpointFault(e);
    if (why !== undefined) refused.push(`${id} endpoint ${short(e.instance)}: ${why}`);
    return why === undefined;
  });
  const whole = refused.length === 0 ? record : { ...record, ports, endpoints };
  return { record: whole, refused };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function portFault(p: ServicePort, names: ReadonlySet<string>): string | undefined {
  if (!isPort(p.port)) return `${p.port} is no port number`;
  return names.has(p.name) ? 'another port has this name' : undefined;
}

function endpointFault(e: EndpointRecord): string | undefined {
  if (isIP(e.address) === 0) return `${short(e.address)} is no IP address`;
  if (!Object.values(e.ports).every(isPort)) return 'a port number is out of range';
  if (!Number.isFinite(e.weight) || e.weight < 0 || e.weight > 1_000_000) return `weight ${e.weight} is not between 0 and 1,000,000`;
  // Both become parts of the SPIFFE id that callers demand.
  if (
    e.tlsMode === 'mesh' &&
    (!isDnsLabel(e.identityNamespace) || !/^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?$/.test(e.serviceAccount))
  ) {
    return 'its identity is no namespace and service account';
  }
  return undefined;
}

/** For people: what a stranger sent is neither trusted to be short nor to be printable. */
function short(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
