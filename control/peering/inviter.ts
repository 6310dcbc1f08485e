import { randomBytes, randomUUID } from 'node:crypto';
import { MeshError } from '../../core/errors.ts';
import { isDnsLabel } from '../../core/model/index.ts';
import { parseCsr } from '../../core/pki/index.ts';
import type { StoredEntry } from '../../core/store.ts';
import { peering } from '../../core/xds/index.ts';
import type { PeerRecord } from './contract.ts';
import { formatInviteToken } from './invite-token.ts';
import { joinProof, replyProof, sameProof, sha256 } from './join-proof.ts';
import type { CreatedInvite, JoiningOptions } from './joining.ts';
import { mergeAddresses, peerKey, putJson, readJson } from './peer-store.ts';

const invitePrefix = 'peering/invites/';
const defaultTtlMs = 15 * 60_000;
const mostInvites = 1_000;

/** An invitation as it is stored. Bytes are base64. */
export interface Invite {
  readonly id: string;
  readonly secret: string;
  readonly expiresAt: number;
  /** Where the inviter dials the joiner. */
  readonly dial?: string;
  readonly redeemed?: { readonly cluster: string; readonly key: string; readonly intermediate: string };
  /** The joiner has confirmed; only where the inviter dials. */
  readonly accepted?: boolean;
}

/** The inviter's side of joining: makes invitations and redeems them. Each is good for one joiner's key, and for that again until it expires. */
export class Inviter {
  readonly #options: JoiningOptions;

  constructor(options: JoiningOptions) {
    this.#options = options;
  }

  /** MeshError IDENTITY_INVALID when this cluster belongs to no trust domain yet, CONFIG_INVALID when a joiner could not find it. */
  async invite(options: { readonly ttlMs?: number; readonly dial?: string } = {}): Promise<CreatedInvite> {
    const { authority, clock, store } = this.#options;
    const addresses = this.#options.addresses();
    const [root] = authority.bundle().roots;
    if (!authority.ready || root === undefined) {
      throw new MeshError('IDENTITY_INVALID', 'this cluster has no signing certificate yet: it can only join, not invite');
    }
    if (addresses.length === 0 && options.dial === undefined) {
      throw new MeshError('CONFIG_INVALID', 'a joiner would not know where to go: set grpc.advertise, or invite with --dial ADDRESS');
    }
    await this.#forgetExpired();
    const expiresAt = clock.now() + (options.ttlMs ?? defaultTtlMs);
    const secret = randomBytes(32);
    const dial = options.dial === undefined ? {} : { dial: options.dial };
    const invite: Invite = { id: randomUUID(), secret: secret.toString('base64'), expiresAt, ...dial };
    await store.txn({ if: [], then: [putJson(inviteKey(invite.id), invite)] });
    const token = formatInviteToken({
      id: invite.id,
      secret,
      cluster: authority.cluster,
      trustDomain: authority.trustDomain,
      root: Buffer.from(root),
      addresses,
      inviterDials: options.dial !== undefined,
      expiresAt,
    });
    return { id: invite.id, token, expiresAt };
  }

  /**
   * Redeems an invitation. What it returns is durable here. `serverHashes`: of the certificates that the exchange's TLS server may
   * have presented. MeshError IDENTITY_INVALID for a proof that does not hold, PERMISSION_DENIED for one that comes too late.
   */
  async redeem(request: peering.JoinRequest, serverHashes: readonly Uint8Array[]): Promise<peering.JoinReply> {
    const { entry, invite } = await this.#find(request, serverHashes);
    const key = this.#checkJoiner(request);
    const { authority, clock } = this.#options;
    if (invite.redeemed !== undefined) {
      if (invite.redeemed.key !== key || invite.redeemed.cluster !== request.cluster) {
        throw new MeshError('PERMISSION_DENIED', 'the invitation was used already, by another joiner: invite again');
      }
      return this.#reply(invite, request, Buffer.from(invite.redeemed.intermediate, 'base64'));
    }
    if (await this.#isTaken(request.cluster)) {
      throw new MeshError('PERMISSION_DENIED', `the name ${request.cluster} is taken by another cluster of ${authority.trustDomain}`);
    }
    const signed = request.csr.length === 0 ? undefined : await this.#options.signIntermediate(request.csr, request.cluster);
    const intermediate = Buffer.from(signed ?? []);
    const redeemed = { cluster: request.cluster, key, intermediate: intermediate.toString('base64') };
    const addresses = mergeAddresses(request.addresses, invite.dial === undefined ? [] : [invite.dial]);
    const record: PeerRecord = { cluster: request.cluster, addresses, joinedAt: clock.now() };
    const { succeeded } = await this.#options.store.txn({
      if: [
        { key: entry.key, modRevision: entry.modRevision },
        { key: peerKey(record.cluster), modRevision: 0 },
      ],
      then: [putJson(entry.key, { ...invite, redeemed }), putJson(peerKey(record.cluster), record)],
    });
    // Somebody was quicker: whether it was the same joiner shows when it is read again.
    if (!succeeded) return this.redeem(request, serverHashes);
    this.#options.log.info({ peer: record.cluster, invite: invite.id }, 'a cluster has joined');
    this.#options.onJoined(record);
    return this.#reply(invite, request, intermediate);
  }

  /** Invitations whose joiner this side must dial, and which are not done. */
  async toDial(): Promise<readonly Invite[]> {
    const { entries } = await this.#options.store.list(invitePrefix);
    const invites = entries.map((e) => readJson<Invite>(e.key, e.value));
    return invites.filter((i) => i.dial !== undefined && i.accepted !== true && i.expiresAt > this.#options.clock.now());
  }

  async accepted(id: string): Promise<void> {
    const key = inviteKey(id);
    const entry = await this.#options.store.get(key);
    if (entry === undefined) return;
    const next = { ...readJson<Invite>(key, entry.value), accepted: true };
    await this.#options.store.txn({ if: [{ key, modRevision: entry.modRevision }], then: [putJson(key, next)] });
  }

  async #find(request: peering.JoinRequest, serverHashes: readonly Uint8Array[]): Promise<{ entry: StoredEntry; invite: Invite }> {
    const key = inviteKey(request.invite);
    const entry = /^[0-9a-f-]{36}$/.test(request.invite) ? await this.#options.store.get(key) : undefined;
    const invite = entry && readJson<Invite>(key, entry.value);
    const secret = Buffer.from(invite?.secret ?? '', 'base64');
    const holds = serverHashes.some((hash) => sameProof(joinProof(secret, request, hash), request.proof));
    // One text for all three: whoever guesses learns nothing.
    if (entry === undefined || invite === undefined || !holds) {
      throw new MeshError('IDENTITY_INVALID', 'the invitation does not hold: unknown, forged, or for another control plane');
    }
    if (invite.expiresAt <= this.#options.clock.now()) throw new MeshError('PERMISSION_DENIED', 'the invitation has expired: invite again');
    return { entry, invite };
  }

  /** What tells this joiner from another one: its key, which its request proves. */
  #checkJoiner({ cluster, csr }: peering.JoinRequest): string {
    if (!isDnsLabel(cluster)) throw new MeshError('PROTOCOL_ERROR', 'the joiner names no cluster');
    if (cluster === this.#options.authority.cluster) {
      throw new MeshError('PERMISSION_DENIED', `the joiner is called ${cluster}, as this cluster is: rename one (Mesh.spec.cluster)`);
    }
    if (csr.length === 0) return 'signed before';
    const parsed = parseCsr(csr);
    if (!parsed.ok) throw new MeshError('PROTOCOL_ERROR', parsed.violations[0]?.message ?? 'not a certificate request');
    return sha256(parsed.value.spki).toString('base64');
  }

  /** A peer here, or a cluster whose signing certificate is known from somewhere else in the trust domain. */
  async #isTaken(cluster: string): Promise<boolean> {
    return (await this.#options.store.get(peerKey(cluster))) !== undefined;
  }

  #reply(invite: Invite, request: peering.JoinRequest, intermediate: Buffer): peering.JoinReply {
    const { authority, addresses } = this.#options;
    const reply = peering.JoinReply.create({
      invite: invite.id,
      cluster: authority.cluster,
      trustDomain: authority.trustDomain,
      roots: authority.bundle().roots.map((root) => Buffer.from(root)),
      intermediate,
      inviterIntermediate: Buffer.from(authority.intermediate?.der ?? []),
      addresses: [...addresses()],
    });
    return { ...reply, proof: replyProof(Buffer.from(invite.secret, 'base64'), reply, request.csr) };
  }

  async #forgetExpired(): Promise<void> {
    const { store, clock } = this.#options;
    const { entries } = await store.list(invitePrefix);
    const dead = entries.filter((e) => readJson<Invite>(e.key, e.value).expiresAt <= clock.now());
    if (dead.length > 0) await store.txn({ if: [], then: dead.slice(0, 100).map((e) => ({ op: 'delete', key: e.key })) });
    if (entries.length - dead.length >= mostInvites)
      throw new MeshError('LIMIT_EXCEEDED', `${mostInvites} invitations are open: let some expire`);
  }
}

function inviteKey(id: string): string {
  return `${invitePrefix}${id}`;
}
