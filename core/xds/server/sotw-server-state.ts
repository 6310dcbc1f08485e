import type { DiscoveryRequest, DiscoveryResponse } from '../gen/envoy/service/discovery/v3/discovery.ts';
import type { ChangedNames, ResourceSet } from '../resource-source.ts';
import { asBuffer } from './delta-server-state.ts';
import { defaultRequestLimits, faultOf, type RequestLimits } from './limits.ts';
import { OrderedTypes, type Outgoing } from './ordered-types.ts';
import type { RequestOutcome, ServerState } from './server-state.ts';
import { setVersion } from './set-version.ts';
import type { SubscriptionChange } from './subscription-types.ts';
import type { TypeSubscription } from './type-subscription.ts';
import { absentResource } from './warming.ts';

/** What this variant adds to a type's subscription. */
interface Conversation {
  readonly type: TypeSubscription;
  /** Of the last response; '' before there was one. */
  nonce: string;
  /** Only empty requests have come: they mean everything (xDS transport: legacy wildcard). */
  legacy: boolean;
  /** What the client says it has, of an earlier stream; until there is something to compare it with. */
  resume: string | undefined;
  /** Sent again unasked, for warming: the client's own asking may still come, and is answered already. */
  warmed: boolean;
  /** Asked for again while a response was on its way. */
  repeat: boolean;
}

/**
 * The server's side of state-of-the-world xDS for one stream, without streams, clocks or I/O: the same subscriptions, order and
 * quarantine as delta's. A request says all names wanted. Responses of types that are `whole` hold everything the client shall
 * have, and what they omit is deleted: so a resource in quarantine is sent along as it was last taken, and one that goes stays
 * until what refers to it is gone. Responses of other types hold what changed; a resource that goes is not mentioned, since the
 * client stops asking for it.
 *
 * Known limits of the protocol, which delta has not: a new stream does not say what the client holds, only a version. If that is not
 * today's, what went in between is deleted by the first response, before what referred to it is replaced. And a client that took a
 * response in part says the version before, until it has answered the response that follows.
 */
export class SotwServerState implements ServerState<DiscoveryRequest, DiscoveryResponse> {
  readonly #limits: RequestLimits;
  readonly #types: OrderedTypes;
  readonly #stream: string;
  readonly #conversations = new Map<string, Conversation>();
  #nonce = 0;

  /** `stream` tells this stream's nonces from those of others. */
  constructor(order: readonly string[], limits: RequestLimits = defaultRequestLimits, stream = '') {
    this.#types = new OrderedTypes(order, true);
    this.#limits = limits;
    this.#stream = stream;
  }

  request(request: DiscoveryRequest): RequestOutcome {
    const { typeUrl, resourceNames } = request;
    const fault = faultOf(typeUrl, [resourceNames], this.#types.byUrl, this.#limits);
    if (fault !== undefined) return { kind: 'refused', reason: fault };
    const known = this.#conversations.get(typeUrl);
    const outcome = known === undefined ? this.#open(request) : this.#continue(known, request);
    if (this.#types.subscribed() <= this.#limits.subscriptions) return outcome;
    return { kind: 'refused', reason: `more than ${this.#limits.subscriptions} subscriptions` };
  }

  changed(changes: readonly ChangedNames[] | undefined): boolean {
    return this.#types.changed(changes);
  }

  next(resources: ResourceSet): DiscoveryResponse | undefined {
    for (const conversation of this.#conversations.values()) resumeFrom(conversation, resources);
    for (;;) {
      const outgoing = this.#types.next(resources, { bytes: this.#limits.responseBytes, removals: Number.POSITIVE_INFINITY });
      if (outgoing === undefined) return undefined;
      const response = this.#respond(outgoing);
      if (response !== undefined) return response;
    }
  }

  caughtUp(resources: ResourceSet): boolean {
    return [...this.#conversations.values()].every((c) => c.resume === undefined) && this.#types.caughtUp(resources);
  }

  types(): Iterable<TypeSubscription> {
    return this.#types.all;
  }

  /** The first request of a type on this stream, whatever nonce it brings along from elsewhere. */
  #open({ typeUrl, resourceNames, versionInfo }: DiscoveryRequest): RequestOutcome {
    const type = this.#types.open(typeUrl, versionInfo === '');
    const legacy = resourceNames.length === 0 && type.rule.namedOnly !== true;
    // A version stands for a set only where the set is all there is: names may have been dropped and asked for again meanwhile.
    const resume = type.whole && (legacy || resourceNames.includes('*')) && versionInfo !== '' ? versionInfo : undefined;
    this.#conversations.set(typeUrl, { type, nonce: '', legacy, resume, warmed: false, repeat: false });
    type.subscribe({ added: [...new Set(resourceNames)], dropped: [] });
    return { kind: 'subscribed' };
  }

  #continue(conversation: Conversation, { resourceNames, responseNonce, errorDetail }: DiscoveryRequest): RequestOutcome {
    const { type } = conversation;
    const change = changeOf(conversation, resourceNames);
    const same = change.added.length + change.dropped.length === 0;
    if (responseNonce !== conversation.nonce) {
      // Sent before our last response was seen; the answer to that will say the names again, but not that one was asked for twice.
      conversation.repeat ||= same && errorDetail === undefined && type.inFlight !== undefined;
      return { kind: 'stale-nonce' };
    }
    conversation.legacy &&= resourceNames.length === 0;
    const answer = type.settle(responseNonce, errorDetail);
    type.subscribe(change);
    // grpc clients repeat an old error with every later change of names.
    const asks = answer ? conversation.repeat : same && errorDetail === undefined;
    conversation.repeat = false;
    if (asks && !type.whole) this.#repeat(conversation);
    if (!answer) return { kind: 'subscribed' };
    return errorDetail === undefined ? { kind: 'acked' } : { kind: 'nacked', message: errorDetail.message.slice(0, 4096) };
  }

  /** Envoy asks for the same again when it has made a cluster anew, and waits for the answer whether anything changed or not. */
  #repeat(conversation: Conversation): void {
    if (!conversation.warmed) conversation.type.again();
    conversation.warmed = false;
  }

  /** Undefined where the protocol has no words for it; it then counts as sent and answered. */
  #respond({ type, batch, content, asked, warmed }: Outgoing): DiscoveryResponse | undefined {
    const conversation = this.#conversations.get(type.typeUrl);
    this.#nonce += 1;
    const nonce = `${this.#stream}${this.#nonce.toString(36)}`;
    const absent = asked && !type.whole ? batch.removed.flatMap((name) => absentResource(type.typeUrl, name) ?? []) : [];
    if (conversation === undefined || (!type.whole && batch.resources.length + absent.length === 0)) {
      type.sent(nonce, batch);
      type.settle(nonce, undefined);
      return undefined;
    }
    const listed = content.map((r) => r.name);
    type.sent(nonce, batch, listed);
    conversation.nonce = nonce;
    const dependent = warmed && this.#conversations.get(warmed.typeUrl);
    if (dependent !== undefined) dependent.warmed = true;
    const { typeUrl } = type;
    const resources = [...content, ...absent].map(({ value }) => ({ typeUrl, value: asBuffer(value) }));
    return { versionInfo: setVersion(content), resources, canary: false, typeUrl, nonce, controlPlane: undefined };
  }
}

/** The names of a request against those asked for before. */
function changeOf({ type, legacy }: Conversation, names: readonly string[]): SubscriptionChange {
  const wanted = new Set(names);
  const everything = wanted.delete('*') || (legacy && names.length === 0);
  const added = [...wanted].filter((name) => !type.names.has(name));
  const dropped = [...type.names].filter((name) => !wanted.has(name));
  if (everything && !type.wildcard) added.push('*');
  if (!everything && type.wildcard) dropped.push('*');
  return { added, dropped };
}

/** A client that holds exactly today's set is sent nothing. */
function resumeFrom(conversation: Conversation, resources: ResourceSet): void {
  const { resume, type } = conversation;
  const current = resources.get(type.typeUrl);
  if (resume === undefined || current === undefined) return;
  conversation.resume = undefined;
  if (type.wildcard && type.inFlight === undefined && setVersion(current.values()) === resume) type.assume(current);
}
