import type { EncodedResource } from '../resource-source.ts';
import { faultOf } from './encoding-fault.ts';
import type { Batch, Resources } from './subscription-types.ts';

/**
 * What a client certainly holds, for a type whose responses must name everything since what they omit is deleted. Keeps
 * references to the shared resources: old versions stay only where somebody has not taken a newer one.
 */
export class HeldSet {
  readonly #taken = new Map<string, EncodedResource>();
  /** Refused, and sent along nevertheless: the client may run on an older version that we do not know, which omission would delete. */
  readonly #unsure = new Set<string>();
  #based: boolean;

  /** `fresh`: the client has said that it holds nothing. */
  constructor(fresh: boolean) {
    this.#based = fresh;
  }

  /** It is known what the client holds beyond that which is about to be sent. */
  get based(): boolean {
    return this.#based;
  }

  /** What the client holds is known, without exception. */
  get certain(): boolean {
    return this.#based && this.#unsure.size === 0;
  }

  /** A response was taken, but for what it refused by name. */
  rebase(): void {
    this.#based = true;
  }

  take(resource: EncodedResource): void {
    this.#taken.set(resource.name, resource);
    this.#unsure.delete(resource.name);
  }

  /** `doubtful`: it may be another one in the response that is bad, so this one stays in all that follow. */
  refuse(name: string, doubtful: boolean): void {
    if (doubtful || !this.#based) this.#unsure.add(name);
  }

  isUnsure(name: string): boolean {
    return this.#unsure.has(name);
  }

  keys(): Iterable<string> {
    return [...this.#taken.keys(), ...this.#unsure];
  }

  delete(name: string): void {
    this.#taken.delete(name);
    this.#unsure.delete(name);
  }

  /** The batch with all that its response must hold besides: [what is offered, everything]. */
  complete(batch: Batch, resources: Resources): readonly [Batch, readonly EncodedResource[]] {
    const unsure = [...this.#unsure].flatMap((name) => resources.get(name) ?? []).filter((r) => faultOf(r) === undefined);
    const offered = [...new Set([...batch.resources, ...unsure])];
    const all = new Map(this.#taken);
    for (const name of batch.removed) all.delete(name);
    for (const resource of offered) all.set(resource.name, resource);
    return [{ ...batch, resources: offered }, [...all.values()]];
  }
}
