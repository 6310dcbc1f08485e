import type { Allocation, CheckResults, NomadEvent, NomadNode, Registration } from './schema.ts';
import type { KnownInstance } from './translate.ts';

/** `NAMESPACE/NAME` of a Nomad service. */
export type NativeService = string;

const terminal: ReadonlySet<string> = new Set(['complete', 'failed', 'lost']);

/**
 * What is known of one Nomad: registrations, allocations, nodes and check results, from lists and from events in any order.
 * The newer ModifyIndex wins, so an event that a list already contains changes nothing. Every change returns the services that
 * may look different. No I/O, no clock.
 */
export class NomadState {
  readonly #registrations = new Map<string, Registration>();
  readonly #allocations = new Map<string, Allocation>();
  readonly #nodes = new Map<string, NomadNode>();
  /** Allocation → service → statuses of its checks. */
  readonly #checks = new Map<string, ReadonlyMap<string, readonly string[]>>();
  readonly #byService = new Map<NativeService, Set<string>>();
  readonly #byAllocation = new Map<string, Set<string>>();
  /** Events up to here are in the lists already; replaying one could bring back what has gone since. */
  #readAt = { registrations: 0, allocations: 0, nodes: 0, services: new Map<NativeService, number>() };

  services(): NativeService[] {
    return [...this.#byService.keys()];
  }

  /** Allocations that registrations name and that run: those whose checks are worth asking for. */
  runningAllocations(): string[] {
    return [...this.#byAllocation.keys()].filter((id) => this.#allocations.get(id)?.ClientStatus === 'running');
  }

  instancesOf(service: NativeService): KnownInstance[] {
    return [...(this.#byService.get(service) ?? [])].flatMap((id) => {
      const registration = this.#registrations.get(id);
      if (registration === undefined) return [];
      const { AllocID, NodeID, ServiceName } = registration;
      const checks = this.#checks.get(AllocID)?.get(ServiceName) ?? [];
      return [{ registration, allocation: this.#allocations.get(AllocID), node: this.#nodes.get(NodeID), checks }];
    });
  }

  /**
   * All there are: the names as read at `index`, the registrations of each as read at its own index, both or later. What was
   * registered after `index` under a name that was not listed stays.
   */
  setRegistrations(list: readonly Registration[], index: number, services: ReadonlyMap<NativeService, number>): Set<NativeService> {
    this.#readAt = { ...this.#readAt, registrations: index, services: new Map(services) };
    const touched = new Set<NativeService>();
    const listed = new Set(list.map((r) => r.ID));
    for (const known of [...this.#registrations.values()]) {
      if (!listed.has(known.ID) && known.ModifyIndex <= index) this.#removeRegistration(known, touched);
    }
    for (const registration of list) this.#addRegistration(registration, touched);
    return touched;
  }

  /** All there are, as read at `index` or later. */
  setAllocations(list: readonly Allocation[], index: number): Set<NativeService> {
    this.#readAt.allocations = index;
    const touched = new Set<NativeService>();
    const listed = new Set(list.map((a) => a.ID));
    for (const known of [...this.#allocations.values()]) {
      if (listed.has(known.ID) || known.ModifyIndex > index) continue;
      this.#allocations.delete(known.ID);
      this.#touchAllocation(known.ID, touched);
    }
    for (const allocation of list) this.#addAllocation(allocation, touched);
    return touched;
  }

  /** All there are, as read at `index` or later. */
  setNodes(list: readonly NomadNode[], index: number): Set<NativeService> {
    this.#readAt.nodes = index;
    const touched = new Set<NativeService>();
    const listed = new Set(list.map((n) => n.ID));
    for (const known of [...this.#nodes.values()]) {
      if (listed.has(known.ID) || known.ModifyIndex > index) continue;
      this.#nodes.delete(known.ID);
      this.#touchNode(known.ID, touched);
    }
    for (const node of list) this.#addNode(node, touched);
    return touched;
  }

  setChecks(allocation: string, results: NonNullable<CheckResults>): Set<NativeService> {
    const touched = new Set<NativeService>();
    const statuses = new Map<string, string[]>();
    for (const { Service, Status } of Object.values(results)) statuses.set(Service, [...(statuses.get(Service) ?? []), Status].sort());
    const flat = (of: ReadonlyMap<string, readonly string[]> | undefined) => JSON.stringify([...(of ?? [])].sort());
    if (flat(this.#checks.get(allocation)) === flat(statuses)) return touched;
    if (statuses.size === 0) this.#checks.delete(allocation);
    else this.#checks.set(allocation, statuses);
    this.#touchAllocation(allocation, touched);
    return touched;
  }

  apply({ Topic, Type, Index, Payload }: NomadEvent): Set<NativeService> {
    const touched = new Set<NativeService>();
    const { Service, Allocation: allocation, Node } = Payload ?? {};
    const at = this.#readAt;
    if (Topic === 'Service' && Service && Index > (at.services.get(serviceOf(Service)) ?? at.registrations)) {
      const known = this.#registrations.get(Service.ID);
      if (Type !== 'ServiceDeregistration') this.#addRegistration(Service, touched);
      else if (known !== undefined && known.ModifyIndex < Index) this.#removeRegistration(known, touched);
    } else if (Topic === 'Allocation' && allocation && Index > at.allocations) {
      this.#addAllocation(allocation, touched);
    } else if (Topic === 'Node' && Node && Index > at.nodes) {
      if (Type !== 'NodeDeregistration') this.#addNode(Node, touched);
      else if (this.#nodes.delete(Node.ID)) this.#touchNode(Node.ID, touched);
    }
    return touched;
  }

  #addRegistration(registration: Registration, touched: Set<NativeService>): void {
    const { ID, AllocID, ModifyIndex } = registration;
    const known = this.#registrations.get(ID);
    if (known !== undefined && known.ModifyIndex >= ModifyIndex) return;
    if (known !== undefined) this.#removeRegistration(known, touched);
    const service = serviceOf(registration);
    this.#registrations.set(ID, registration);
    this.#byService.set(service, (this.#byService.get(service) ?? new Set()).add(ID));
    this.#byAllocation.set(AllocID, (this.#byAllocation.get(AllocID) ?? new Set()).add(ID));
    touched.add(service);
  }

  #removeRegistration(known: Registration, touched: Set<NativeService>): void {
    const service = serviceOf(known);
    this.#registrations.delete(known.ID);
    dropFrom(this.#byService, service, known.ID);
    if (dropFrom(this.#byAllocation, known.AllocID, known.ID)) this.#forget(known.AllocID);
    touched.add(service);
  }

  #addAllocation(allocation: Allocation, touched: Set<NativeService>): void {
    const known = this.#allocations.get(allocation.ID);
    if (known !== undefined && known.ModifyIndex >= allocation.ModifyIndex) return;
    this.#allocations.set(allocation.ID, allocation);
    this.#touchAllocation(allocation.ID, touched);
    if (!this.#byAllocation.has(allocation.ID)) this.#forget(allocation.ID);
  }

  #addNode(node: NomadNode, touched: Set<NativeService>): void {
    const known = this.#nodes.get(node.ID);
    if (known !== undefined && known.ModifyIndex > node.ModifyIndex) return;
    this.#nodes.set(node.ID, node);
    if (known?.Status !== node.Status) this.#touchNode(node.ID, touched);
  }

  /** What has ended and is registered no more will not be heard of again. */
  #forget(allocation: string): void {
    this.#checks.delete(allocation);
    if (terminal.has(this.#allocations.get(allocation)?.ClientStatus ?? '')) this.#allocations.delete(allocation);
  }

  #touchAllocation(id: string, touched: Set<NativeService>): void {
    for (const registration of this.#byAllocation.get(id) ?? []) this.#touch(registration, touched);
  }

  #touchNode(id: string, touched: Set<NativeService>): void {
    for (const registration of this.#registrations.values()) if (registration.NodeID === id) touched.add(serviceOf(registration));
  }

  #touch(id: string, touched: Set<NativeService>): void {
    const registration = this.#registrations.get(id);
    if (registration !== undefined) touched.add(serviceOf(registration));
  }
}

function serviceOf({ Namespace, ServiceName }: Registration): NativeService {
  return `${Namespace}/${ServiceName}`;
}

/** True when nothing is left under `key`. */
function dropFrom(map: Map<string, Set<string>>, key: string, id: string): boolean {
  const ids = map.get(key);
  ids?.delete(id);
  return (ids === undefined || ids.size === 0) && map.delete(key);
}
