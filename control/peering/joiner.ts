import { MeshError } from '../../core/errors.ts';
import { formatViolation } from '../../core/validate.ts';
import { peering } from '../../core/xds/index.ts';
import type { PeerRecord } from './contract.ts';
import { type InviteToken, parseInviteToken } from './invite-token.ts';
import { call, channelToInviter, type JoinChannel } from './join-channel.ts';
import { joinProof, offerProof, replyProof, sameProof, sha256 } from './join-proof.ts';
import type { JoiningOptions, JoinResult } from './joining.ts';
import { mergeAddresses, peerKey, putJson, readJson } from './peer-store.ts';

const joiningKey = 'peering/joining';

/** A join that is under way, as it is stored: before anything is sent, and again before the reply is used. */
interface JoinUnderWay {
  readonly token: string;
  /** What the inviter answered: base64 of the JoinReply. */
  readonly reply?: string;
}

/** The joiner's side of joining. One join at a time; it outlives restarts until it is done or its invitation has expired. */
export class Joiner {
  readonly #options: JoiningOptions;
  /** What the last offer was answered with: no two requests of one key are equal, and the reply is bound to one. */
  #offered: Uint8Array = Buffer.alloc(0);
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: JoiningOptions) {
    this.#options = options;
  }

  /**
   * Joins, or begins to where the inviter dials. MeshError CONFIG_INVALID for a token that cannot be used here, CONFLICT when this cluster
   * has a root of its own, IDENTITY_INVALID or PERMISSION_DENIED when the inviter refuses, PEER_UNREACHABLE (retryable): say it again.
   */
  join(text: string): Promise<JoinResult> {
    return this.#inTurn(() => this.#join(text));
  }

  async #join(text: string): Promise<JoinResult> {
    const token = this.#check(text);
    const underWay: JoinUnderWay = { token: text.trim() };
    await this.#options.store.txn({ if: [], then: [putJson(joiningKey, underWay)] });
    if (token.inviterDials) return this.#result(token, 'pending');
    try {
      return await this.#exchange(token);
    } catch (error) {
      // What will never hold is not tried again; what was not reached is, with the same key.
      if (!(error instanceof MeshError && error.retryable)) await this.#forget();
      throw error;
    }
  }

  /** Goes on with a join that a restart has interrupted; false when there is none, or nothing to do on this side. */
  resume(): Promise<boolean> {
    return this.#inTurn(() => this.#resume());
  }

  async #resume(): Promise<boolean> {
    const found = await this.#underWay();
    if (found === undefined) return false;
    const { token, reply } = found;
    if (reply !== undefined) await this.#finish(token, reply);
    else if (token.inviterDials) return false;
    else await this.#exchange(token);
    return true;
  }

  /** The inviter asks for the request of a join that waits for it. MeshError IDENTITY_INVALID. */
  async offered(offer: peering.OfferRequest): Promise<peering.JoinRequest> {
    const found = await this.#underWay();
    const token = found?.token;
    const hashes = this.#options.presented().map((der) => sha256(der));
    const hash = hashes.find((h) => token !== undefined && sameProof(offerProof(token.secret, token.id, h), offer.proof));
    if (token === undefined || offer.invite !== token.id || hash === undefined) {
      throw new MeshError('IDENTITY_INVALID', 'the offer does not hold: no join waits for it here: run isthmus peer join TOKEN');
    }
    const request = await this.#request(token, hash);
    this.#offered = request.csr;
    return request;
  }

  /** The inviter brings its reply. What it says is durable when this resolves. */
  accepted(reply: peering.JoinReply): Promise<void> {
    return this.#inTurn(() => this.#accepted(reply));
  }

  /** Two at once would ask twice with one key, and the second answer would find that key used up. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #accepted(reply: peering.JoinReply): Promise<void> {
    const found = await this.#underWay();
    if (found === undefined || found.token.id !== reply.invite) {
      throw new MeshError('IDENTITY_INVALID', 'the reply does not hold: no join waits for it here');
    }
    await this.#take(found.token, reply, this.#offered);
  }

  async #exchange(token: InviteToken): Promise<JoinResult> {
    const { clock } = this.#options;
    let last: unknown;
    for (const address of token.addresses) {
      let channel: JoinChannel;
      try {
        channel = await channelToInviter(address, token, () => clock.now());
      } catch (error) {
        // Another server at one address says nothing of the next.
        last = error;
        continue;
      }
      try {
        return await this.#ask(channel, token);
      } catch (error) {
        if (!(error instanceof MeshError && error.retryable)) throw error;
        last = error;
      } finally {
        channel.close();
      }
    }
    throw last ?? new MeshError('CONFIG_INVALID', 'the invitation names no address of the inviter');
  }

  async #ask(channel: JoinChannel, token: InviteToken): Promise<JoinResult> {
    const request = await this.#request(token, channel.serverHash());
    const reply = await call<peering.JoinReply>((metadata, options, done) => channel.client.join(request, metadata, options, done));
    return this.#take(token, reply, request.csr);
  }

  async #request(token: InviteToken, serverHash: Uint8Array): Promise<peering.JoinRequest> {
    const { authority, addresses } = this.#options;
    // Under the same root already: only the peering is new.
    const csr = authority.ready ? Buffer.alloc(0) : Buffer.from(await authority.intermediateCsr());
    const request = peering.JoinRequest.create({ invite: token.id, cluster: authority.cluster, csr, addresses: [...addresses()] });
    return { ...request, proof: joinProof(token.secret, request, serverHash) };
  }

  async #take(token: InviteToken, reply: peering.JoinReply, csr: Uint8Array): Promise<JoinResult> {
    const { store } = this.#options;
    const holds = sameProof(replyProof(token.secret, reply, csr), reply.proof);
    const meant =
      reply.cluster === token.cluster && reply.trustDomain === token.trustDomain && reply.roots.some((r) => r.equals(token.root));
    if (!holds || !meant) throw new MeshError('IDENTITY_INVALID', 'the reply is not of the inviter that the invitation names');
    const kept: JoinUnderWay = {
      token: await this.#tokenText(),
      reply: Buffer.from(peering.JoinReply.encode(reply).finish()).toString('base64'),
    };
    // Persist before anything is made of it: after a crash the rest is done from here.
    await store.txn({ if: [], then: [putJson(joiningKey, kept)] });
    return this.#finish(token, reply);
  }

  async #finish(token: InviteToken, reply: peering.JoinReply): Promise<JoinResult> {
    const { authority, store, clock, onJoined, log } = this.#options;
    const installed = Buffer.from(authority.intermediate?.der ?? []).equals(reply.intermediate);
    if (reply.intermediate.length > 0 && !installed) await authority.installIntermediate(reply.intermediate, reply.roots);
    const key = peerKey(token.cluster);
    const known = await store.get(key);
    const before = known && readJson<PeerRecord>(key, known.value);
    const addresses = mergeAddresses([...reply.addresses, ...token.addresses], before?.addresses ?? []);
    const record: PeerRecord = { cluster: token.cluster, addresses, joinedAt: before?.joinedAt ?? clock.now() };
    await store.txn({ if: [], then: [putJson(key, record), { op: 'delete', key: joiningKey }] });
    log.info({ peer: token.cluster, trustDomain: token.trustDomain }, 'joined');
    onJoined(record);
    return this.#result(token, authority.ready ? 'joined' : 'pending');
  }

  #result(token: InviteToken, state: JoinResult['state']): JoinResult {
    return { cluster: token.cluster, trustDomain: token.trustDomain, state };
  }

  #check(text: string): InviteToken {
    const { authority, clock } = this.#options;
    const parsed = parseInviteToken(text);
    if (!parsed.ok) throw new MeshError('CONFIG_INVALID', parsed.violations.map(formatViolation).join('; '));
    const token = parsed.value;
    if (token.expiresAt <= clock.now())
      throw new MeshError('PERMISSION_DENIED', 'the invitation has expired, or this clock is wrong: invite again');
    if (token.cluster === authority.cluster) {
      throw new MeshError(
        'CONFIG_INVALID',
        `the invitation is of a cluster called ${token.cluster}, as this one is: join it on another cluster`,
      );
    }
    if (token.trustDomain !== authority.trustDomain) {
      const both = `the invitation is of trust domain ${token.trustDomain}, this cluster is configured for ${authority.trustDomain}`;
      throw new MeshError('CONFIG_INVALID', `${both}: set Mesh.spec.trustDomain alike`);
    }
    const { roots } = authority.bundle();
    if (roots.length > 0 && !roots.some((root) => token.root.equals(root))) {
      throw new MeshError(
        'CONFLICT',
        'this cluster has a root of its own: clusters of two roots cannot join, only federate (docs/federate.md); ' +
          'one that was left out of a rotation of the root joins anew as docs/rotate-roots.md says',
      );
    }
    return token;
  }

  async #underWay(): Promise<{ readonly token: InviteToken; readonly reply?: peering.JoinReply } | undefined> {
    const entry = await this.#options.store.get(joiningKey);
    if (entry === undefined) return undefined;
    const { token: text, reply } = readJson<JoinUnderWay>(joiningKey, entry.value);
    const token = parseInviteToken(text);
    if (!token.ok) return undefined;
    if (reply !== undefined) return { token: token.value, reply: peering.JoinReply.decode(Buffer.from(reply, 'base64')) };
    if (token.value.expiresAt > this.#options.clock.now()) return { token: token.value };
    await this.#forget();
    return undefined;
  }

  async #tokenText(): Promise<string> {
    const entry = await this.#options.store.get(joiningKey);
    return entry === undefined ? '' : readJson<JoinUnderWay>(joiningKey, entry.value).token;
  }

  async #forget(): Promise<void> {
    await this.#options.store.txn({ if: [], then: [{ op: 'delete', key: joiningKey }] });
  }
}
