import {
  type AdapterDeps,
  forEachBounded,
  type NativeNameResult,
  type NativeNames,
  ownerMetaKey,
  ownerOf,
  publishedNodeName,
  type SwitchedService,
} from '../../core/registry/index.ts';
import { ConsulClient } from './client.ts';
import { type ConsulSpec, type ConsulTuning, defaultTuning } from './config.ts';
import { OriginalDrainer } from './drain-original.ts';
import { drainNotes, nativeMetaKey } from './native-marks.ts';
import { candidateNames, gatewayRecords, type Original, originalsOf } from './native-plan.ts';
import { type ConsulRecord, isWritten } from './plan-records.ts';
import type { NodeServices } from './schema.ts';
import { ConsulWriteClient } from './write-client.ts';

interface Name {
  readonly namespace: string;
  readonly name: string;
}

interface Round {
  readonly reader: ConsulClient;
  readonly writer: ConsulWriteClient;
  readonly drainer: OriginalDrainer;
  readonly signal: AbortSignal;
  readonly node: NodeServices;
  /** By native name. */
  readonly natives: ReadonlyMap<string, readonly Original[]>;
}

/** Agents asked at once. */
const concurrency = 8;
/** How often, and how far apart in ms, the catalog is asked whether it has what an agent was told. */
const catalogLooks = 50;
const catalogLookMs = 100;

function keyOf({ node, id }: Original): string {
  return `${node}/${id}`;
}

/**
 * A service's own name in Consul. The gateways stand on the node that carries what this cluster publishes; who is drained is marked so in the
 * notes of the check that drains it, so that any replica undoes what another one did. Rights: those of publishing, `service` write on the
 * service itself and, for agents' maintenance, their HTTP API.
 */
export function createConsulNativeNames(spec: ConsulSpec, deps: AdapterDeps, tuning: Partial<ConsulTuning> = {}): NativeNames {
  const names = new ConsulNativeNames(spec, deps, { ...defaultTuning, ...tuning });
  return {
    switch: (service, signal) => names.switch(service, signal),
    restore: (service, signal) => names.restore(service, signal),
    restoreAll: (signal) => names.restoreAll(signal),
  };
}

class ConsulNativeNames {
  readonly #spec: ConsulSpec;
  readonly #deps: AdapterDeps;
  readonly #tuning: ConsulTuning;
  readonly #node: string;
  readonly #owner: string;

  constructor(spec: ConsulSpec, deps: AdapterDeps, tuning: ConsulTuning) {
    this.#spec = spec;
    this.#deps = deps;
    this.#tuning = tuning;
    this.#node = publishedNodeName(deps.cluster);
    this.#owner = ownerOf(deps.cluster, deps.id);
  }

  switch(service: SwitchedService, signal: AbortSignal): Promise<NativeNameResult> {
    return this.#round(service, signal, async (round) => {
      const { node, natives, writer } = round;
      const records = gatewayRecords(service, natives, this.#owner);
      const standing = this.#standing(node, service);
      const problem = this.#whyNot(service, round, records);
      // What stands stays: nobody is better off with less.
      if (problem !== undefined) return this.#result(standing.length > 0, natives, [problem]);
      const nodeMeta = { 'external-node': 'true', 'external-probe': 'false', [ownerMetaKey]: this.#deps.cluster };
      for (const record of records) if (!isWritten(record, node)) await writer.register(this.#node, nodeMeta, record, signal);
      const problems = service.drainOriginals ? await this.#drain(service, round) : (await this.#undrain(service, round)).problems;
      const ids = new Set(records.map(({ id }) => id));
      for (const id of standing) if (!ids.has(id)) await writer.deregister(this.#node, id, signal);
      return this.#result(true, await this.#originals(round.reader, [...natives.keys()], service, signal), problems);
    });
  }

  restore(service: Name, signal: AbortSignal): Promise<NativeNameResult> {
    return this.#round(service, signal, async (round) => {
      const { problems, stuck } = await this.#undrain(service, round);
      // Whoever calls by name must find somebody: gateways go once the originals answer again.
      if (stuck) return this.#result(true, round.natives, problems);
      const standing = this.#standing(round.node, service);
      for (const id of standing) await round.writer.deregister(this.#node, id, signal);
      if (standing.length > 0) await this.#removeEmptyNode(round);
      return this.#result(false, await this.#originals(round.reader, [...round.natives.keys()], service, signal), problems);
    });
  }

  /** Of every service whose name this owner switched. */
  async restoreAll(signal: AbortSignal): Promise<readonly NativeNameResult[]> {
    const reader = new ConsulClient(this.#spec.connection, this.#tuning, this.#deps.clock);
    try {
      const node = await reader.readNode(this.#node, signal);
      const mine = Object.values(node?.Services ?? {}).filter(({ Meta }) => Meta?.[ownerMetaKey] === this.#owner);
      const results: NativeNameResult[] = [];
      for (const key of new Set(mine.flatMap(({ Meta }) => Meta?.[nativeMetaKey] ?? []))) {
        const [namespace = '', name = ''] = key.split('/');
        results.push(await this.restore({ namespace, name }, signal));
      }
      return results;
    } finally {
      await reader.reset();
    }
  }

  #whyNot(service: SwitchedService, { node, natives }: Round, records: readonly ConsulRecord[]): string | undefined {
    const { namespace, name } = service;
    if (natives.size === 0) return `no service of this Consul is ${namespace}/${name}: see the mapping of the Registry`;
    if (records.length === 0) return `${namespace}/${name} has no gateway here: run one on the network of the Registry`;
    if (node?.Node && node.Node.Meta?.[ownerMetaKey] !== this.#deps.cluster)
      return `node ${this.#node} is not Isthmus': deregister it, or give this cluster another name`;
    return undefined;
  }

  async #round(service: Name, signal: AbortSignal, work: (round: Round) => Promise<NativeNameResult>): Promise<NativeNameResult> {
    const { connection } = this.#spec;
    const reader = new ConsulClient(connection, this.#tuning, this.#deps.clock);
    const writer = await ConsulWriteClient.open(connection, this.#tuning.marginMs);
    const drainer = new OriginalDrainer(connection, this.#tuning.marginMs, reader, writer);
    try {
      const [node, list] = await Promise.all([reader.readNode(this.#node, signal), reader.listServices(signal)]);
      // Of names that have no instance of their own any more, the gateways still tell.
      const switched = this.#ours(node, service).map(({ Service }) => Service);
      const names = [...new Set([...candidateNames(Object.keys(list.value), service.name, this.#spec.rules), ...switched])];
      const found = await this.#originals(reader, names, service, signal);
      const natives = new Map([...found].filter(([name, originals]) => originals.length > 0 || switched.includes(name)));
      return await work({ reader, writer, drainer, signal, node, natives });
    } finally {
      drainer.close();
      writer.close();
      await reader.reset();
    }
  }

  async #originals(
    reader: ConsulClient,
    names: readonly string[],
    service: Name,
    signal: AbortSignal,
  ): Promise<Map<string, readonly Original[]>> {
    const found = new Map<string, readonly Original[]>();
    await forEachBounded(names, concurrency, signal, async (name, inner) => {
      const { value } = await reader.readService(name, inner);
      found.set(name, originalsOf(value, service, this.#spec.rules, this.#owner));
    });
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async #drain(service: Name, round: Round): Promise<string[]> {
    const { natives, drainer, signal } = round;
    const problems: string[] = [];
    const notes = drainNotes({ owner: this.#owner, service: `${service.namespace}/${service.name}` });
    const open = [...natives.values()].flat().filter(({ drained, agent }) => drained === 'no' && agent !== 'failed');
    const asked = new Set<string>();
    await forEachBounded(open, concurrency, signal, async (original, inner) => {
      const problem = await drainer.drain(original, notes, inner);
      if (problem === undefined) asked.add(keyOf(original));
      else problems.push(`not drained: ${problem}`);
    });
    // Whoever takes over from us must find what was done: it counts once it is in the catalog.
    await this.#seen(service, round, (each) => each.drained !== 'no' || !asked.has(keyOf(each)));
    return problems.sort();
  }

  /** `stuck`: somebody who could answer is still kept out. */
  async #undrain(service: Name, round: Round): Promise<{ readonly problems: string[]; readonly stuck: boolean }> {
    const { natives, drainer, signal } = round;
    const problems: string[] = [];
    const held = [...natives.values()].flat().filter(({ drained }) => drained === 'by-us');
    const asked = new Set<string>();
    await forEachBounded(held, concurrency, signal, async (original, inner) => {
      const problem = await drainer.restore(original, inner);
      if (problem === undefined) asked.add(keyOf(original));
      else problems.push(`not restored: ${problem}`);
    });
    const seen = await this.#seen(service, round, (each) => each.drained !== 'by-us' || !asked.has(keyOf(each)));
    const stuck = held.some((original) => original.agent !== 'failed' && !asked.has(keyOf(original)));
    return { problems: problems.sort(), stuck: stuck || !seen };
  }

  /** Agents tell the catalog within a moment; false: not in time. */
  async #seen(service: Name, { natives, reader, signal }: Round, done: (original: Original) => boolean): Promise<boolean> {
    for (let look = 0; look < catalogLooks; look++) {
      const now = await this.#originals(reader, [...natives.keys()], service, signal);
      if ([...now.values()].flat().every(done)) return true;
      await this.#deps.clock.sleep(catalogLookMs, signal);
    }
    return false;
  }

  async #removeEmptyNode({ reader, writer, signal }: Round): Promise<void> {
    const node = await reader.readNode(this.#node, signal);
    if (node?.Node && Object.keys(node.Services ?? {}).length === 0) await writer.deregister(this.#node, undefined, signal);
  }

  #ours(node: NodeServices, { namespace, name }: Name) {
    const isMine = (meta: Readonly<Record<string, string>>) =>
      meta[ownerMetaKey] === this.#owner && meta[nativeMetaKey] === `${namespace}/${name}`;
    return Object.values(node?.Services ?? {}).filter(({ Meta }) => isMine(Meta ?? {}));
  }

  #standing(node: NodeServices, service: Name): string[] {
    return this.#ours(node, service).map(({ ID }) => ID);
  }

  #result(switched: boolean, natives: ReadonlyMap<string, readonly Original[]>, problems: readonly string[]): NativeNameResult {
    const all = [...natives.values()].flat();
    const drained = all.filter((original) => original.drained === 'by-us').length;
    return { state: switched ? 'switched' : 'original', originals: all.length, drained, problems };
  }
}
