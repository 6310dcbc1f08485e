import type { ChangedNames, EncodedResource, ResourceSet } from '../resource-source.ts';
import { ruleOf } from '../type-urls.ts';
import { HeldSet } from './held-set.ts';
import type { Batch, Resources } from './subscription-types.ts';
import { TypeSubscription } from './type-subscription.ts';
import { endpointsOf } from './warming.ts';

export interface Outgoing {
  readonly type: TypeSubscription;
  /** What is new to the client. */
  readonly batch: Batch;
  /** All that the response must hold. */
  readonly content: readonly EncodedResource[];
  /** What the batch takes away was asked for by name, and is not there. */
  readonly asked: boolean;
  /** A type that is sent again with it. */
  readonly warmed: TypeSubscription | undefined;
}

/** How much one response may hold. */
export interface BatchLimits {
  /** About that many bytes of resources, where a response need not hold them all. */
  readonly bytes: number;
  readonly removals: number;
}

/**
 * The types of one stream, and which of them may speak next. Make before break: additions and changes go by `order`, a type
 * waiting for those before it; removals come after all additions were sent and answered, in reverse. An answer that never
 * comes stops only this client.
 */
export class OrderedTypes {
  readonly #rank: ReadonlyMap<string, number>;
  readonly #wholes: boolean;
  readonly #byUrl = new Map<string, TypeSubscription>();
  /** In order. */
  readonly #sorted: TypeSubscription[] = [];

  /** `wholes`: there are types whose responses must hold every resource (state of the world). */
  constructor(order: readonly string[], wholes: boolean) {
    this.#rank = new Map(order.map((typeUrl, i) => [typeUrl, i]));
    this.#wholes = wholes;
  }

  get byUrl(): ReadonlyMap<string, TypeSubscription> {
    return this.#byUrl;
  }

  get all(): Iterable<TypeSubscription> {
    return this.#byUrl.values();
  }

  /** `fresh`: the client has said that it holds nothing of the type. */
  open(typeUrl: string, fresh = false): TypeSubscription {
    const rule = ruleOf(typeUrl);
    const type = new TypeSubscription(rule, this.#wholes && rule.whole === true ? new HeldSet(fresh) : undefined);
    this.#byUrl.set(typeUrl, type);
    const rank = (t: TypeSubscription) => this.#rank.get(t.typeUrl) ?? this.#rank.size;
    this.#sorted.push(type);
    this.#sorted.sort((a, b) => rank(a) - rank(b));
    return type;
  }

  subscribed(): number {
    return this.#sorted.reduce((total, type) => total + type.subscribed, 0);
  }

  /** Undefined: anything may have changed. False: nothing that was asked for. */
  changed(changes: readonly ChangedNames[] | undefined): boolean {
    let concerns = false;
    if (changes === undefined) for (const type of this.#sorted) concerns = type.changed(undefined) || concerns;
    else for (const { typeUrl, names } of changes) concerns = this.#byUrl.get(typeUrl)?.changed(names) === true || concerns;
    return concerns;
  }

  /** What to send next, which the caller must mark as sent; undefined when there is nothing to send now. */
  next(resources: ResourceSet, limits: BatchLimits): Outgoing | undefined {
    let waiting = false;
    // Those behind a type that cannot be sent yet may refer to it.
    let blocked = false;
    for (const type of this.#sorted) {
      const current = resources.get(type.typeUrl);
      if (current === undefined) continue;
      const owes = type.sift(current);
      const free = type.inFlight === undefined && (type.rule.refersToNothing === true || !(blocked || (waiting && type.rule.afterAnswers)));
      if (owes && free)
        return this.#outgoing(type, type.takeAdditions(current, type.whole ? Number.POSITIVE_INFINITY : limits.bytes), current, true);
      blocked ||= owes;
      waiting ||= type.inFlight !== undefined;
    }
    if (blocked || waiting) return undefined;
    for (const type of [...this.#sorted].reverse()) {
      const current = resources.get(type.typeUrl);
      if (current !== undefined && type.removals > 0) return this.#outgoing(type, type.takeRemovals(limits.removals), current, false);
    }
    return undefined;
  }

  /** Everything subscribed was sent and answered; types that are not in the order do not count. */
  caughtUp(resources: ResourceSet): boolean {
    return this.#sorted.every((type) => {
      const current = resources.get(type.typeUrl);
      if (current === undefined) return !this.#rank.has(type.typeUrl);
      return !type.sift(current) && type.removals === 0 && type.inFlight === undefined;
    });
  }

  #outgoing(type: TypeSubscription, taken: Batch, current: Resources, asked: boolean): Outgoing {
    const [batch, content] = type.whole ? type.complete(taken, current) : [taken, taken.resources];
    return { type, batch, content, asked, warmed: this.#warm(type, batch) };
  }

  /** Envoy warms a changed resource with those that it names, and would wait for them for ever. */
  #warm(type: TypeSubscription, { resources }: Batch): TypeSubscription | undefined {
    const { warmsWith } = type.rule;
    const dependent = warmsWith === undefined ? undefined : this.#byUrl.get(warmsWith);
    if (dependent === undefined) return undefined;
    const changed = resources.filter((r) => type.acked.get(r.name) !== r.version);
    return dependent.again(changed.flatMap((r) => endpointsOf(r) ?? [])) ? dependent : undefined;
  }
}
