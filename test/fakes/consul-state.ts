export interface FakeCheck {
  CheckID: string;
  Name?: string;
  Status: string;
  ServiceID?: string;
}

export interface FakeService {
  ID: string;
  Service: string;
  Address?: string;
  Port?: number;
  Tags?: string[];
  Meta?: Record<string, string>;
  Weights?: { Passing: number; Warning: number };
}

interface FakeNode {
  Address: string;
  Meta: Record<string, string>;
  services: Map<string, FakeService & { CreateIndex: number }>;
  checks: Map<string, FakeCheck>;
}

export interface Registration {
  Node: string;
  Address: string;
  NodeMeta?: Record<string, string>;
  SkipNodeUpdate?: boolean;
  Service?: FakeService;
  Check?: FakeCheck;
  Checks?: FakeCheck[];
}

const metaKey = /^[a-zA-Z0-9_-]+$/;

/** Consul's catalog tables and the index of each, as its HTTP API shows them. */
export class ConsulState {
  readonly #nodes = new Map<string, FakeNode>();
  readonly #serviceIndex = new Map<string, number>();
  #index = 1;
  #listIndex = 1;

  /** An error text, as Consul answers it, or undefined. */
  register(input: object): string | undefined {
    const { Node, Address, NodeMeta, SkipNodeUpdate, Service, Check, Checks } = input as Registration;
    for (const key of [...Object.keys(Service?.Meta ?? {}), ...Object.keys(NodeMeta ?? {})]) {
      if (!metaKey.test(key)) return `Invalid Service Meta: Couldn't load metadata pair ('${key}', ...): Key contains invalid characters`;
    }
    this.#index += 1;
    const node = this.#nodes.get(Node) ?? { Address, Meta: NodeMeta ?? {}, services: new Map(), checks: new Map() };
    if (SkipNodeUpdate !== true) Object.assign(node, { Address, Meta: NodeMeta ?? {} });
    this.#nodes.set(Node, node);
    if (Service !== undefined) {
      const ID = Service.ID ?? Service.Service;
      const before = node.services.get(ID);
      node.services.set(ID, { ...Service, ID, CreateIndex: before?.CreateIndex ?? this.#index });
      this.#touch(Service.Service, true);
    }
    for (const check of [...(Checks ?? []), ...(Check === undefined ? [] : [Check])]) {
      node.checks.set(check.CheckID, check);
      for (const s of node.services.values()) if (!check.ServiceID || check.ServiceID === s.ID) this.#touch(s.Service, false);
    }
    return undefined;
  }

  deregister(input: object): undefined {
    const { Node, ServiceID } = input as { Node: string; ServiceID?: string };
    const node = this.#nodes.get(Node);
    if (node === undefined) return;
    this.#index += 1;
    for (const service of node.services.values()) {
      if (ServiceID !== undefined && service.ID !== ServiceID) continue;
      node.services.delete(service.ID);
      for (const check of node.checks.values()) if (check.ServiceID === service.ID) node.checks.delete(check.CheckID);
      this.#touch(service.Service, true);
    }
    if (ServiceID === undefined) this.#nodes.delete(Node);
  }

  read(kind: string, name: string): { body: unknown; index: number } | undefined {
    if (kind === 'catalog/services') return { body: this.#list(), index: this.#listIndex };
    if (kind === 'catalog/node') return { body: this.#node(name), index: this.#index };
    if (kind === 'catalog/service') return { body: this.#catalog(name), index: this.#serviceIndex.get(name) ?? this.#index };
    if (kind === 'health/service') return { body: this.#health(name), index: this.#serviceIndex.get(name) ?? this.#index };
    return undefined;
  }

  #touch(service: string, listed: boolean): void {
    this.#serviceIndex.set(service, this.#index);
    if (listed) this.#listIndex = this.#index;
  }

  #list(): Record<string, string[]> {
    const list: Record<string, string[]> = {};
    for (const { services } of this.#nodes.values()) {
      for (const s of services.values()) list[s.Service] = [...new Set([...(list[s.Service] ?? []), ...(s.Tags ?? [])])];
    }
    return list;
  }

  #node(name: string): unknown {
    const node = this.#nodes.get(name);
    if (node === undefined) return null;
    return {
      Node: { Node: name, Address: node.Address, Meta: node.Meta },
      Services: Object.fromEntries([...node.services].map(([id, s]) => [id, full(s)])),
    };
  }

  #catalog(name: string): unknown[] {
    return this.#instances(name).map(([Node, node, s]) => ({
      Node,
      Address: node.Address,
      NodeMeta: node.Meta,
      ServiceID: s.ID,
      ServiceName: s.Service,
      ServiceMeta: s.Meta ?? {},
      CreateIndex: s.CreateIndex,
    }));
  }

  #health(name: string): unknown[] {
    return this.#instances(name).map(([Node, node, s]) => ({
      Node: { Node, Address: node.Address, Meta: node.Meta, Datacenter: 'dc1' },
      Service: full(s),
      Checks: [...node.checks.values()].filter((c) => !c.ServiceID || c.ServiceID === s.ID),
    }));
  }

  #instances(name: string): [string, FakeNode, FakeService & { CreateIndex: number }][] {
    return [...this.#nodes].flatMap(([id, node]) =>
      [...node.services.values()].filter((s) => s.Service === name).map((s): [string, FakeNode, typeof s] => [id, node, s]),
    );
  }
}

function full(s: FakeService & { CreateIndex: number }): object {
  return { Kind: '', Address: '', Port: 0, Meta: null, Tags: [], Weights: { Passing: 1, Warning: 1 }, PeerName: '', ...s };
}
