import { MeshError } from '../../core/errors.ts';
import {
  type AdapterDeps,
  forEachBounded,
  type OwningPublisher,
  ownerMetaKey,
  ownerOf,
  type PublishedService,
  type PublishResult,
  publishedNodeName,
} from '../../core/registry/index.ts';
import { ConsulClient } from './client.ts';
import { type ConsulSpec, type ConsulTuning, defaultTuning } from './config.ts';
import { createConsulNativeNames } from './native-names.ts';
import { buildRecords, planRecords } from './plan-records.ts';
import type { CatalogEntry, NodeServices } from './schema.ts';
import { ConsulWriteClient } from './write-client.ts';

/**
 * Publishes imported services as `NAME-mesh` on the external node `isthmus-CLUSTER`. No agent owns that node, so no agent's
 * anti-entropy removes what is written, and its meta keeps consul-esm from probing it. Rights: `node_prefix "isthmus-"` and the
 * services' names, write. Calls are made one after another; a call that fails has left what it wrote, which the next one completes.
 */
export function createConsulPublisher(spec: ConsulSpec, deps: AdapterDeps, tuning: Partial<ConsulTuning> = {}): OwningPublisher {
  const publisher = new ConsulPublisher(spec, deps, { ...defaultTuning, ...tuning });
  const natives = createConsulNativeNames(spec, deps, tuning);
  return {
    id: deps.id,
    reconcile: (services, signal) => publisher.reconcile(services, signal),
    listOwned: (signal) => publisher.listOwned(signal),
    removeAll: async (signal) => {
      const restored = await natives.restoreAll(signal);
      const { written, removed, conflicts } = await publisher.reconcile([], signal);
      return { written, removed: removed + restored.length, conflicts: [...conflicts, ...restored.flatMap(({ problems }) => problems)] };
    },
  };
}

class ConsulPublisher {
  readonly #spec: ConsulSpec;
  readonly #tuning: ConsulTuning;
  readonly #deps: AdapterDeps;
  readonly #node: string;
  readonly #owner: string;

  constructor(spec: ConsulSpec, deps: AdapterDeps, tuning: ConsulTuning) {
    this.#spec = spec;
    this.#deps = deps;
    this.#tuning = tuning;
    this.#node = publishedNodeName(deps.cluster);
    this.#owner = ownerOf(deps.cluster, deps.id);
  }

  async reconcile(services: readonly PublishedService[], signal: AbortSignal): Promise<PublishResult> {
    const wanted = buildRecords(services, this.#owner);
    const reader = new ConsulClient(this.#spec.connection, this.#tuning, this.#deps.clock);
    const writer = await ConsulWriteClient.open(this.#spec.connection, this.#tuning.marginMs);
    try {
      const node = await reader.readNode(this.#node, signal);
      if (node?.Node && node.Node.Meta?.[ownerMetaKey] !== this.#deps.cluster) return this.#nodeTaken(wanted.records.length);
      const names = [...new Set(wanted.records.map((r) => r.service))];
      const plan = planRecords(wanted, node, await this.#readHolders(reader, names, signal), this.#owner);
      for (const record of plan.write) await writer.register(this.#node, this.#nodeMeta(), record, signal);
      for (const id of plan.remove) await writer.deregister(this.#node, id, signal);
      if (plan.remove.length > 0) await this.#removeEmptyNode(reader, writer, signal);
      return { written: plan.write.length, removed: plan.remove.length, conflicts: plan.conflicts };
    } finally {
      writer.close();
      await reader.reset();
    }
  }

  async listOwned(signal: AbortSignal): Promise<readonly string[]> {
    const reader = new ConsulClient(this.#spec.connection, this.#tuning, this.#deps.clock);
    try {
      const node = await reader.readNode(this.#node, signal);
      const owned = Object.values(node?.Services ?? {}).filter((s) => s.Meta?.[ownerMetaKey] === this.#owner);
      return owned.map((s) => `Consul service ${s.Service} (${s.ID}) on node ${this.#node}`).sort();
    } finally {
      await reader.reset();
    }
  }

  async #readHolders(reader: ConsulClient, names: readonly string[], signal: AbortSignal): Promise<Map<string, CatalogEntry[]>> {
    const holders = new Map<string, CatalogEntry[]>();
    await forEachBounded(names, 8, signal, async (name, inner) => void holders.set(name, await reader.readCatalogService(name, inner)));
    return holders;
  }

  /** The node goes with its last service, whoever of this cluster had it. */
  async #removeEmptyNode(reader: ConsulClient, writer: ConsulWriteClient, signal: AbortSignal): Promise<void> {
    const node: NodeServices = await reader.readNode(this.#node, signal);
    if (node?.Node && Object.keys(node.Services ?? {}).length === 0) await writer.deregister(this.#node, undefined, signal);
  }

  #nodeMeta(): Record<string, string> {
    return { 'external-node': 'true', 'external-probe': 'false', [ownerMetaKey]: this.#deps.cluster };
  }

  #nodeTaken(wanted: number): PublishResult {
    if (wanted === 0) return { written: 0, removed: 0, conflicts: [] };
    const error = new MeshError('CONFLICT', `node ${this.#node} is not Isthmus': deregister it, or give this cluster another name`);
    return { written: 0, removed: 0, conflicts: [error.message] };
  }
}
