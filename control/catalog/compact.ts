import type { EndpointRecord } from '../../core/model/index.ts';
import { deepEqual } from '../../core/registry/index.ts';

/**
 * The same endpoints in less memory: what is equal to one of `before` is that object, and what endpoints of one service have in
 * common (labels, ports, locality and names) is there once. Registries' answers are parsed text, in which nothing is shared.
 */
export function compactEndpoints(endpoints: readonly EndpointRecord[], before: readonly EndpointRecord[]): EndpointRecord[] {
  const known = new Map(before.map((e) => [e.instance, e]));
  const pool = new Pool();
  return endpoints.map((e) => {
    const old = known.get(e.instance);
    return old !== undefined && deepEqual(old, e) ? old : compact(e, pool);
  });
}

function compact(e: EndpointRecord, pool: Pool): EndpointRecord {
  const one = <T extends string>(text: T) => pool.text(text);
  return {
    instance: e.instance,
    network: one(e.network),
    address: e.address,
    ports: pool.record(e.ports),
    health: one(e.health),
    weight: e.weight,
    locality: pool.record(e.locality),
    labels: pool.record(e.labels),
    identityNamespace: one(e.identityNamespace),
    serviceAccount: one(e.serviceAccount),
    tlsMode: one(e.tlsMode),
    runtime: one(e.runtime),
    attested: e.attested,
    ...(e.tunnel === undefined ? {} : { tunnel: e.tunnel }),
    ...(e.plain === undefined ? {} : { plain: e.plain }),
    ...(e.otherSources === undefined ? {} : { otherSources: pool.record(e.otherSources) }),
  };
}

/** Equal values become the first of them. */
class Pool {
  readonly #texts = new Map<string, string>();
  readonly #records = new Map<string, object>();

  text<T extends string>(text: T): T {
    const known = this.#texts.get(text) as T | undefined;
    if (known !== undefined) return known;
    this.#texts.set(text, text);
    return text;
  }

  record<T extends object>(record: T): T {
    const key = JSON.stringify(record);
    const known = this.#records.get(key) as T | undefined;
    if (known !== undefined) return known;
    this.#records.set(key, record);
    return record;
  }
}
