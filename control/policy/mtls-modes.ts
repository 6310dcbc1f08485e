import { type MtlsMode, mtlsModeOf } from '../../core/authz/index.ts';
import type { PeerAuthenticationObject } from '../../core/config/index.ts';
import { systemNamespace } from '../../core/model/index.ts';
import { compareText, type MergedService } from '../catalog/index.ts';

/** What one port takes, and the PeerAuthentication (`NAMESPACE/NAME`) that says so; without one it is the mesh's default, STRICT. */
export interface PortDecision {
  readonly port: number;
  readonly mode: MtlsMode;
  readonly by?: string;
}

/** Of one service. */
export interface ServiceMtls {
  /** One for each port, sorted. */
  readonly ports: readonly PortDecision[];
  /** Its endpoints are selected by different objects: the strictest of what they say holds for all. */
  readonly mixed?: true;
}

/** The objects that are for one workload, the oldest of each width first: the others of it are not followed. */
export interface Applying {
  readonly mesh: readonly PeerAuthenticationObject[];
  readonly namespace: readonly PeerAuthenticationObject[];
  readonly workload: readonly PeerAuthenticationObject[];
}

/** By namespace and width, the oldest first; of equally old ones the lower name. */
export class MtlsModes {
  readonly #mesh: readonly PeerAuthenticationObject[];
  readonly #wide = new Map<string, PeerAuthenticationObject[]>();
  readonly #selecting = new Map<string, PeerAuthenticationObject[]>();

  constructor(objects: readonly PeerAuthenticationObject[]) {
    const sorted = [...objects].sort((a, b) => a.spec.createdAt - b.spec.createdAt || compareText(nameOf(a), nameOf(b)));
    for (const object of sorted) {
      const lists = Object.keys(object.spec.selector).length === 0 ? this.#wide : this.#selecting;
      lists.set(object.namespace, [...(lists.get(object.namespace) ?? []), object]);
    }
    this.#mesh = this.#wide.get(systemNamespace) ?? [];
  }

  /** One for each kind of endpoint that objects tell apart; without endpoints by the service's own labels. */
  applying({ namespace, labels, endpoints }: Pick<MergedService, 'namespace' | 'labels' | 'endpoints'>): readonly Applying[] {
    const wide = { mesh: this.#mesh, namespace: namespace === systemNamespace ? [] : (this.#wide.get(namespace) ?? []) };
    const selecting = this.#selecting.get(namespace) ?? [];
    if (selecting.length === 0) return [{ ...wide, workload: [] }];
    const found = new Map<string, Applying>();
    for (const of of endpoints.length === 0 ? [labels] : endpoints.map((each) => each.labels)) {
      const workload = selecting.filter(({ spec }) => has(spec.selector, of, labels));
      found.set(workload.map(nameOf).join(), { ...wide, workload });
    }
    return [...found.values()];
  }

  /** Undefined: no object is for it, and every port is STRICT. */
  of(service: Pick<MergedService, 'namespace' | 'labels' | 'endpoints' | 'ports'>): ServiceMtls | undefined {
    const kinds = this.applying(service);
    if (kinds.every(({ mesh, namespace, workload }) => mesh.length + namespace.length + workload.length === 0)) return undefined;
    const decided = service.ports.map(({ port }) => kinds.map((kind) => decide(kind, port)).reduce(stricter));
    const ports = decided.sort((a, b) => a.port - b.port);
    return { ports, ...(kinds.length > 1 ? { mixed: true } : {}) };
  }
}

export function nameOf({ namespace, name }: Pick<PeerAuthenticationObject, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

function has(selector: Readonly<Record<string, string>>, ...of: readonly Readonly<Record<string, string>>[]): boolean {
  return Object.entries(selector).every(([key, value]) => of.some((labels) => Object.hasOwn(labels, key) && labels[key] === value));
}

/** The port of what selects the workload, its mode, its namespace's, the mesh's: the first that says anything. */
function decide({ mesh: [mesh], namespace: [wide], workload: [own] }: Applying, port: number): PortDecision {
  const named = own?.spec.ports.some((each) => each.port === port) === true;
  if (own !== undefined && named) return { port, mode: mtlsModeOf(own.spec.ports, port), by: nameOf(own) };
  for (const each of [own, wide, mesh]) if (each?.spec.mode !== undefined) return { port, mode: each.spec.mode, by: nameOf(each) };
  return { port, mode: 'strict' };
}

const strictness: Readonly<Record<MtlsMode, number>> = { strict: 2, permissive: 1, disable: 0 };

function stricter(a: PortDecision, b: PortDecision): PortDecision {
  return strictness[b.mode] > strictness[a.mode] ? b : a;
}
