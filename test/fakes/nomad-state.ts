export interface FakeRegistration {
  ID: string;
  ServiceName: string;
  Namespace: string;
  AllocID: string;
  NodeID: string;
  JobID: string;
  Datacenter: string;
  Address: string;
  Port: number;
  Tags: string[];
  CreateIndex: number;
  ModifyIndex: number;
}

export interface FakeAllocation {
  ID: string;
  Namespace: string;
  NodeID: string;
  ClientStatus: string;
  DesiredStatus: string;
  ModifyIndex: number;
}

export interface FakeEvent {
  Topic: 'Service' | 'Allocation' | 'Node';
  Type: string;
  Key: string;
  Namespace: string;
  Index: number;
  Payload: object;
}

type Instance = Partial<FakeRegistration> & { ID: string; ServiceName: string; Port: number };

/** Nomad's tables of services, allocations and nodes, the index of each, and the events of every change. */
export class NomadState {
  readonly registrations = new Map<string, FakeRegistration>();
  readonly allocations = new Map<string, FakeAllocation>();
  readonly nodes = new Map<string, { ID: string; Status: string; Datacenter: string; ModifyIndex: number }>();
  /** Allocation → results of its checks. */
  readonly checks = new Map<string, Record<string, { Service: string; Status: string; Check: string }>>();
  readonly events: FakeEvent[] = [];
  index = 1;
  readonly tables = { services: 1, allocations: 1, nodes: 1 };

  setNode(ID: string, Status: string): void {
    const node = { ID, Status, Datacenter: 'dc1', ModifyIndex: this.#next('nodes') };
    this.nodes.set(ID, node);
    this.#tell('Node', 'NodeRegistration', ID, '', { Node: node });
  }

  setAllocation(ID: string, change: Partial<FakeAllocation>): void {
    const before = this.allocations.get(ID) ?? {
      ID,
      Namespace: 'default',
      NodeID: 'node-1',
      ClientStatus: 'running',
      DesiredStatus: 'run',
      ModifyIndex: 0,
    };
    const allocation = { ...before, ...change, ModifyIndex: this.#next('allocations') };
    this.allocations.set(ID, allocation);
    this.#tell('Allocation', 'AllocationUpdated', ID, allocation.Namespace, { Allocation: allocation });
  }

  register(instance: Instance): void {
    const index = this.#next('services');
    const registration: FakeRegistration = {
      Namespace: 'default',
      AllocID: `alloc-${instance.ID}`,
      NodeID: 'node-1',
      JobID: 'job',
      Datacenter: 'dc1',
      Address: '10.0.0.1',
      Tags: [],
      ...instance,
      CreateIndex: this.registrations.get(instance.ID)?.CreateIndex ?? index,
      ModifyIndex: index,
    };
    this.registrations.set(registration.ID, registration);
    this.#tell('Service', 'ServiceRegistration', registration.ID, registration.Namespace, { Service: registration });
  }

  deregister(ID: string): void {
    const registration = this.registrations.get(ID);
    if (registration === undefined) return;
    this.registrations.delete(ID);
    this.#next('services');
    this.#tell('Service', 'ServiceDeregistration', ID, registration.Namespace, { Service: registration });
  }

  /** The body and index of a list, as the HTTP API answers it. */
  read(path: string, namespace: string): { body: unknown; index: number } | undefined {
    const visible = (of: { Namespace: string }) => namespace === '*' || of.Namespace === namespace;
    const [, , kind = '', name = ''] = path.split('/').map(decodeURIComponent);
    if (kind === 'nodes') return { body: [...this.nodes.values()], index: this.tables.nodes };
    if (kind === 'allocations') return { body: [...this.allocations.values()].filter(visible), index: this.tables.allocations };
    const registrations = [...this.registrations.values()].filter(visible);
    if (kind === 'service') return { body: registrations.filter((r) => r.ServiceName === name), index: this.tables.services };
    if (kind !== 'services') return undefined;
    const namespaces = [...new Set(registrations.map((r) => r.Namespace))].map((Namespace) => {
      const names = new Set(registrations.filter((r) => r.Namespace === Namespace).map((r) => r.ServiceName));
      return { Namespace, Services: [...names].map((ServiceName) => ({ ServiceName, Tags: [] })) };
    });
    return { body: namespaces, index: this.tables.services };
  }

  #next(table: 'services' | 'allocations' | 'nodes'): number {
    this.index += 1;
    this.tables[table] = this.index;
    return this.index;
  }

  #tell(Topic: FakeEvent['Topic'], Type: string, Key: string, Namespace: string, Payload: object): void {
    this.events.push({ Topic, Type, Key, Namespace, Index: this.index, Payload });
  }
}
