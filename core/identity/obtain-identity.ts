import { MeshError, toMeshError } from '../errors.ts';
import { childController, exponentialBackoff, isAborted } from '../lifecycle.ts';
import { formatSpiffeId } from '../model/index.ts';
import { bundleOf, generateKey, type TrustBundle, verifySvid } from '../pki/index.ts';
import type { RootReport, SignJwtReply } from '../xds/gen/isthmus/agent/v1/agent.ts';
import { attest, type CallContext, type NewIdentity, renew, signJwt } from './identity-calls.ts';
import { IdentityFiles, type StoredIdentity } from './identity-files.ts';
import { type JoinToken, parseJoinToken } from './join-token.ts';
import type { ProofOptions } from './proof/proof-options.ts';
import { fingerprintsOf, isUnderSigningRoot, sameTrust } from './renewal-reasons.ts';
import { RootUses } from './root-uses.ts';
import { SettableSvidSource, type Svid, type SvidSource } from './svid.ts';

export interface ObtainIdentityOptions extends CallContext {
  /** Owner-only folder of this process's identity. Made when it is not there. */
  readonly dir: string;
  /** Text of a join token. Absent: the one in `dir`. One that differs from it in id is redeemed even if an identity is there. */
  readonly token?: string;
  /** What to show where the token names an attestor; read anew at each attestation. */
  readonly proof?: ProofOptions | undefined;
  /** Unique within the identity, the same at every start. */
  readonly instance: string;
  /** [0, 1). */
  readonly random: () => number;
  /** Where the control plane is, newer than the token knows; tried before the token's addresses. */
  readonly addresses?: () => readonly string[];
}

export interface IdentityStatus {
  /** `renewing` since a renewal failed; `expired` when the SVID ended meanwhile: then nothing works until the control plane is back. */
  readonly state: 'valid' | 'renewing' | 'expired';
  readonly lastError?: string;
  /** Control plane's clock minus ours, ms; undefined before the first exchange. */
  readonly skewMs?: number;
}

export interface ObtainedIdentity extends SvidSource {
  status(): IdentityStatus;
  readonly token: JoinToken;
  readonly roots: RootUses;
  /**
   * What ADS says to trust from now on: durable before it is used. An SVID under a root that does not sign (any more) is renewed soon, with jitter.
   * Never rejects: what could not be stored is not used, is not reported as taken, and is tried again when it is said again.
   */
  learn(bundle: TrustBundle): Promise<void>;
  rootReport(): RootReport;
  /** A JWT-SVID of this identity, by the control plane. Rejects with MeshError: IDENTITY_INVALID and PERMISSION_DENIED are final for this SVID. */
  signJwt(audiences: readonly string[]): Promise<SignJwtReply>;
}

/**
 * This process's identity, kept alive until `signal` aborts: from disk when it still holds, else by redeeming the join token, or by the proof that its attestor takes
 * (retried until somebody answers). Renewed over mTLS at half-life with jitter; when that is refused, or the SVID has ended, attested again with the
 * token in place. Every SVID is durable before anybody sees it. Rejects with MeshError CONFIG_INVALID for a token that can't be read,
 * IDENTITY_INVALID or PERMISSION_DENIED for one that is refused, ABORTED.
 */
export async function obtainIdentity(options: ObtainIdentityOptions): Promise<ObtainedIdentity> {
  const files = new IdentityFiles(options.dir);
  await files.prepare();
  const token = await chooseToken(files, options.token);
  const kept = await files.load();
  const stored = usable(kept, token, options.clock.now());
  const keeper = new Keeper(options, files, token, kept?.tokenId === token.id ? kept.bundle : undefined);
  const first = stored ?? (await keeper.attestUntilAnswered());
  const source = new SettableSvidSource(first.svid, first.bundle);
  const roots = new RootUses(options.clock);
  const identity: ObtainedIdentity = {
    token,
    current: (): Svid => source.current(),
    bundle: (): TrustBundle => source.bundle(),
    subscribe: (listener) => source.subscribe(listener),
    status: () => keeper.status(source),
    roots,
    learn: (bundle: TrustBundle) => keeper.learn(source, bundle),
    rootReport: (): RootReport => ({ serial: source.current().serial, trusted: fingerprintsOf(source.bundle()), uses: roots.report() }),
    signJwt: (audiences) => keeper.signJwt(identity, audiences),
  };
  void keeper.keep(source, identity);
  return identity;
}

async function chooseToken(files: IdentityFiles, given: string | undefined): Promise<JoinToken> {
  const saved = await files.token();
  const text = given ?? saved;
  if (text === undefined)
    throw new MeshError('CONFIG_INVALID', 'no join token: run isthmus vm join TOKEN with what isthmus vm token printed');
  const token = parseJoinToken(text);
  if (!token.ok) throw new MeshError('CONFIG_INVALID', token.violations.map((each) => `${each.path} ${each.message}`).join('; '));
  // Before it is shown to anybody, so that a machine that dies now can redeem it again.
  if (given !== undefined && given.trim() !== saved) await files.saveToken(given);
  return token.value;
}

function usable(stored: StoredIdentity | undefined, token: JoinToken, now: number): StoredIdentity | undefined {
  if (stored === undefined || stored.tokenId !== token.id || stored.givenUp === true) return undefined;
  return verifySvid(stored.svid.chainDer, stored.bundle, now).ok ? stored : undefined;
}

/** Over which those who have to renew at once are spread, at most. */
const longestSpreadMs = 60_000;

class Keeper {
  readonly #options: ObtainIdentityOptions;
  readonly #files: IdentityFiles;
  readonly #token: JoinToken;
  /** Of the last SVID that this token gave: its own root may have been retired since it was made. */
  #known: TrustBundle | undefined;
  #lastError: string | undefined;
  #skewMs: number | undefined;
  /** Wakes the renewal when the root that signs has changed. */
  #wake = new AbortController();
  #saving: Promise<unknown> = Promise.resolve();
  /** What ADS said last. */
  #learned: TrustBundle | undefined;

  constructor(options: ObtainIdentityOptions, files: IdentityFiles, token: JoinToken, kept: TrustBundle | undefined) {
    this.#options = options;
    this.#files = files;
    this.#token = token;
    this.#known = kept;
  }

  status(source: SvidSource): IdentityStatus {
    const expired = source.current().notAfter <= this.#options.clock.now();
    return {
      state: expired ? 'expired' : this.#lastError === undefined ? 'valid' : 'renewing',
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#skewMs === undefined ? {} : { skewMs: this.#skewMs }),
    };
  }

  async attestUntilAnswered(): Promise<StoredIdentity> {
    const { clock, log, random, signal } = this.#options;
    const backoff = exponentialBackoff({ baseMs: 250, maxMs: 15_000, random });
    for (;;) {
      try {
        return await this.#attest();
      } catch (error) {
        if (isAborted(error) || !(error instanceof MeshError && error.retryable)) throw error;
        const what = error.code === 'PEER_UNREACHABLE' ? 'no identity yet: the control plane does not answer' : 'no identity yet';
        log.warn({ error: error.message, addresses: this.#addresses() }, what);
        await clock.sleep(backoff.next(), signal);
      }
    }
  }

  /**
   * Renews until the signal aborts; failures are logged and retried, more often as the end comes nearer. `caller` is the source as everybody else
   * has it, whose connection renewals share.
   */
  async keep(source: SettableSvidSource, caller: SvidSource): Promise<void> {
    const { clock, log, random, signal } = this.#options;
    try {
      await this.#untilDue(source);
      for (;;) {
        try {
          const next = await this.#next(caller);
          this.#lastError = undefined;
          source.set(next.svid, next.bundle);
          log.info({ spiffeId: formatSpiffeId(next.svid.spiffeId), notAfter: next.svid.notAfter }, 'identity renewed');
          await this.#untilDue(source);
        } catch (error) {
          if (isAborted(error)) throw error;
          const { message, retryable } = toMeshError(error);
          this.#lastError = message;
          log.warn({ error: message, notAfter: source.current().notAfter }, 'identity not renewed');
          await clock.sleep(retryAfter(source.current(), clock.now(), random(), retryable ? 250 : refusedMs), signal);
        }
      }
    } catch (error) {
      if (!isAborted(error)) log.error({ error }, 'renewal of the identity ended');
    }
  }

  /** See ObtainedIdentity. */
  learn(source: SettableSvidSource, said: TrustBundle): Promise<void> {
    return this.#inTurn(async () => {
      const bundle: TrustBundle = { ...bundleOf(said.trustDomain, said.roots), signingRoot: said.signingRoot ?? Buffer.alloc(0) };
      this.#learned = bundle;
      if (sameTrust(bundle, source.bundle())) return;
      await this.#files.save({ svid: source.current(), bundle, tokenId: this.#token.id });
      this.#known = bundle;
      source.set(source.current(), bundle);
      if (!isUnderSigningRoot(source.current(), bundle)) this.#wake.abort();
    }).catch((error: unknown) => this.#options.log.error({ error }, 'what is to be trusted could not be stored, and is not used'));
  }

  signJwt(source: SvidSource, audiences: readonly string[]): Promise<SignJwtReply> {
    return signJwt(source, this.#addresses(), audiences, this.#options);
  }

  /** Half of the life, or soon where the root that signs is another one now. */
  async #untilDue(source: SvidSource): Promise<void> {
    const { clock, random, signal } = this.#options;
    const svid = source.current();
    const due = untilHalfLife(svid, clock.now(), random());
    if (isUnderSigningRoot(svid, source.bundle())) {
      this.#wake = new AbortController();
      const woken = this.#wake.signal;
      const { controller, release } = childController(signal);
      const stop = () => controller.abort();
      woken.addEventListener('abort', stop, { once: true });
      try {
        return await clock.sleep(due, controller.signal);
      } catch (error) {
        if (signal.aborted || !woken.aborted) throw error;
      } finally {
        woken.removeEventListener('abort', stop);
        release();
      }
    }
    const soonest = Math.min(longestSpreadMs, (svid.notAfter - clock.now()) / 10);
    await clock.sleep(Math.max(0, Math.min(due, random() * soonest)), signal);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#saving.then(work);
    this.#saving = turn.catch(() => undefined);
    return turn;
  }

  async #next(source: SvidSource): Promise<StoredIdentity> {
    const { clock, log } = this.#options;
    if (source.current().notAfter > clock.now()) {
      try {
        const key = generateKey();
        return await this.#save(await renew(source, this.#addresses(), key, this.#options));
      } catch (error) {
        if (!(error instanceof MeshError) || (error.code !== 'IDENTITY_INVALID' && error.code !== 'PERMISSION_DENIED')) throw error;
        log.warn({ error: error.message }, 'renewal refused: attesting again');
      }
    }
    return this.#attest();
  }

  async #attest(): Promise<StoredIdentity> {
    const token = { ...this.#token, addresses: this.#addresses() };
    const { proof, instance } = this.#options;
    return this.#save(await attest(token, proof, await this.#files.attestKey(), instance, this.#options, this.#known?.roots));
  }

  async #save(identity: NewIdentity): Promise<StoredIdentity> {
    this.#skewMs = identity.skewMs;
    return this.#inTurn(async () => {
      const learned = this.#learned;
      // The reply may have been made before what ADS said meanwhile; ADS may be behind a control plane that was replaced.
      const holds = learned !== undefined && verifySvid(identity.svid.chainDer, learned, this.#options.clock.now()).ok;
      const stored = { svid: identity.svid, bundle: holds ? learned : identity.bundle, tokenId: this.#token.id };
      await this.#files.save(stored);
      this.#known = stored.bundle;
      return stored;
    });
  }

  #addresses(): string[] {
    return [...new Set([...(this.#options.addresses?.() ?? []), ...this.#token.addresses])];
  }
}

/** Half of the life, less up to a tenth of it so that those who started together do not come together. */
function untilHalfLife(svid: Svid, now: number, random: number): number {
  // notBefore lies up to 5 minutes before the issuing.
  const issued = Math.max(svid.notBefore, Math.min(now, svid.notBefore + 5 * 60_000));
  const life = svid.notAfter - issued;
  return Math.max(0, issued + life / 2 - random * 0.1 * life - now);
}

/** Who was told no is told the same a moment later, ms; others behind its NAT have as few attempts between them. */
const refusedMs = 10_000;

/** A twentieth of what is left, between `least` and a minute, and its jitter; ms. */
function retryAfter(svid: Svid, now: number, random: number, least: number): number {
  const base = Math.min(60_000, Math.max(least, (svid.notAfter - now) / 20));
  return base * (0.5 + random);
}
