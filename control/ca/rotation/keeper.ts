import type { Clock } from '../../../core/clock.ts';
import { MeshError, toMeshError } from '../../../core/errors.ts';
import { isAborted } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import { fingerprintOf, signedBy } from '../../../core/pki/index.ts';
import { peering } from '../../../core/xds/index.ts';
import type { Authority } from '../authority.ts';
import type { Ledger } from '../ledger.ts';
import type { ClusterProgress } from './advance.ts';
import { type Aware, Awareness, type AwarenessInput, type HeldSvid, holding, isLeftOut, type Laggard } from './awareness.ts';
import { PeerSigning } from './peer-signing.ts';
import { certificatesOf, heldSvids, progressOf, trustReport } from './report.ts';
import type { InstanceRoots } from './root-reports.ts';
import { rootOver } from './statement.ts';

/** One look after the other, while anything is under way, and else. */
const busyMs = 500;
const idleMs = 5_000;
/** Ours dial anew within 15 s of an outage's end at most, Envoys with our bootstrap within 5 s. */
const returnMs = 15_000;
/** Of its life: a signing certificate that not everybody has acknowledged signs from then on all the same. */
const patience = 0.65;

export interface RotationWords {
  readonly statements: readonly peering.TrustStatement[];
  readonly intermediateRequest?: Uint8Array;
  readonly signed: ReadonlyMap<string, Uint8Array>;
  readonly report: peering.TrustReport;
}

/** See HttpSigner. */
export interface ExternalSigner {
  /** Undefined: not now. Never rejects. */
  sign(csr: Uint8Array): Promise<{ readonly certificate: Uint8Array; readonly roots: readonly Uint8Array[] } | undefined>;
  accepted(): void;
}

export interface TrustKeeperOptions {
  readonly authority: Authority;
  readonly ledger: Ledger;
  /** Connected clients of xDS by their holders' names; `behind`: not at the newest bundle. */
  readonly clients: () => AwarenessInput['clients'];
  readonly reports: () => ReadonlyMap<string, InstanceRoots>;
  /** Handshakes under roots that this control plane itself has verified. */
  readonly own: () => InstanceRoots['uses'];
  readonly peers: () => readonly { readonly cluster: string; readonly connected: boolean }[];
  /** `words` say something else. */
  readonly onWords: () => void;
  readonly intermediateTtlMs: number;
  /** Signs where neither this cluster nor a peer has the root. */
  readonly external?: ExternalSigner;
  /** A handshake counts as use of its root for this long. */
  readonly quietMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * One cluster's part in a rotation of the trust domain's roots: believes statements that peers hand on, has its signing certificate made anew under the
 * root that signs, lets it sign when everybody knows it, lets go of a root when nothing here is under it any more, and says how far it is. All of it follows
 * from what is on disk and what is heard, so that nothing is lost with a process.
 */
export class TrustKeeper {
  readonly #options: TrustKeeperOptions;
  #awareness: Awareness | undefined;
  readonly #signing: PeerSigning;
  readonly #heard = new Map<string, peering.PeerTrust>();
  #signed: ReadonlyMap<string, Uint8Array> = new Map();
  #request: Buffer | undefined;
  #report: peering.TrustReport;
  #told = '';
  #wake = new AbortController();
  #refused = '';
  #holding: readonly Laggard[] = [];

  constructor(options: TrustKeeperOptions) {
    this.#options = options;
    const { authority, clock, log } = options;
    this.#signing = new PeerSigning({ authority, ttlMs: options.intermediateTtlMs, clock, log });
    this.#report = peering.TrustReport.create({ cluster: authority.cluster });
  }

  /** A peer's PeerTrust; undefined: it is a peer no more. */
  heard(cluster: string, trust: peering.PeerTrust | undefined): void {
    if (trust === undefined) this.#heard.delete(cluster);
    else this.#heard.set(cluster, trust);
    this.#wake.abort();
  }

  words(): RotationWords {
    const { trust } = this.#options.authority;
    return {
      statements: trust.statements.map((each) => each.signed),
      ...(this.#request === undefined ? {} : { intermediateRequest: this.#request }),
      signed: this.#signed,
      report: this.#report,
    };
  }

  /** This cluster and its peers, as the gates see them. */
  progress(): readonly ClusterProgress[] {
    const { authority, peers } = this.#options;
    return [
      progressOf(authority.cluster, this.#report, true),
      ...peers().map(({ cluster, connected }) => progressOf(cluster, this.#heard.get(cluster)?.report, connected)),
    ];
  }

  /** Who holds here what is under a root that does not sign. */
  get holding(): readonly Laggard[] {
    return this.#holding;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { authority, clock, log } = this.#options;
    const undo = authority.subscribe(() => this.#wake.abort());
    const stop = () => this.#wake.abort();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        this.#wake = new AbortController();
        try {
          const busy = await this.look();
          await clock.sleep(busy ? busyMs : idleMs, this.#wake.signal);
        } catch (error) {
          if (!isAborted(error)) log.error({ error: toMeshError(error).message }, 'a look at the rotation of roots failed');
        }
        // What wakes it comes in bursts, and a failure is not to be repeated at once.
        await clock.sleep(busyMs / 5, signal).catch(() => undefined);
      }
    } finally {
      undo();
      signal.removeEventListener('abort', stop);
    }
  }

  /** One look. Resolves with whether something is still under way. */
  async look(): Promise<boolean> {
    const { authority } = this.#options;
    for (const [cluster, { statements }] of this.#heard) await this.#believe(cluster, statements);
    if (authority.signer === undefined) await this.#ask();
    else {
      this.#request = undefined;
      await authority.rotateIfDue();
    }
    this.#signed = this.#signing.answer(this.#requests());
    const { issued, held } = await this.#svids();
    const aware = (await this.#aware()).look({ ...this.#awarenessInput(), held });
    await this.#activate(aware);
    this.#holding = this.#held(issued, held);
    await this.#release(issued);
    this.#say(aware);
    const { roots, intermediates } = certificatesOf(authority.bundle());
    const all = aware.known.length === roots.length + intermediates.length;
    return !all || roots.length > 1 || authority.staged !== undefined || this.#request !== undefined || this.#signed.size > 0;
  }

  async #believe(cluster: string, statements: readonly peering.TrustStatement[]): Promise<void> {
    if (statements.length === 0) return;
    const faults = await this.#options.authority.believe(statements);
    const text = faults.length === 0 ? '' : `${cluster}: ${faults.join('; ')}`;
    if (text !== '' && text !== this.#refused) this.#options.log.warn({ peer: cluster, faults }, 'statements about roots were refused');
    this.#refused = text;
  }

  /** Where the root's key is elsewhere, whoever has it is asked through peering; what comes back is installed. */
  async #ask(): Promise<void> {
    const { authority, external, log } = this.#options;
    if ((authority.intermediate === undefined && external === undefined) || !authority.due) {
      this.#request = undefined;
      return;
    }
    const request = this.#request ?? (await authority.intermediateCsr());
    this.#request = request;
    for (const [cluster, { signedIntermediate }] of this.#heard) {
      if (signedIntermediate.length === 0) continue;
      try {
        await authority.installIntermediate(
          signedIntermediate,
          authority.trust.roots.map((root) => root.der),
        );
        this.#request = undefined;
        return;
      } catch (error) {
        if (!(error instanceof MeshError && error.code === 'IDENTITY_INVALID')) throw error;
        log.debug({ peer: cluster, reason: error.message }, 'what a peer has signed does not fit (yet)');
      }
    }
    if (external !== undefined) await this.#askExternal(external, request);
  }

  async #askExternal(external: ExternalSigner, request: Uint8Array): Promise<void> {
    const { authority, log } = this.#options;
    const answer = await external.sign(request);
    if (answer === undefined) return;
    try {
      await authority.installIntermediate(answer.certificate, answer.roots);
      this.#request = undefined;
      external.accepted();
    } catch (error) {
      if (!(error instanceof MeshError && (error.code === 'IDENTITY_INVALID' || error.code === 'CONFLICT'))) throw error;
      log.error({ reason: error.message }, 'what the external signer gave is refused');
    }
  }

  #requests(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#heard].flatMap(([cluster, { intermediateRequest: r }]) => (r.length === 0 ? [] : [[cluster, r] as const])));
  }

  /** All SVIDs are read only while there are two roots that they can be under. */
  async #svids(): Promise<{ readonly issued: readonly HeldSvid[]; readonly held: readonly HeldSvid[] }> {
    const { authority, ledger, clock } = this.#options;
    if (authority.trust.roots.length < 2) return { issued: [], held: [] };
    return heldSvids(await ledger.issued(clock.now()), authority.bundle(), authority.cluster);
  }

  async #aware(): Promise<Awareness> {
    const { ledger, clock } = this.#options;
    this.#awareness ??= new Awareness({
      returning: (await ledger.issued(clock.now())).length > 0,
      returnMs,
      now: clock.monotonic(),
    });
    return this.#awareness;
  }

  #awarenessInput(): Omit<AwarenessInput, 'held'> {
    const { authority, clients, reports, clock } = this.#options;
    return {
      now: clock.monotonic(),
      ...certificatesOf(authority.bundle()),
      clients: clients(),
      reports: reports(),
      without: authority.trust.latest?.without ?? [],
    };
  }

  /** A signing certificate that was announced signs once everybody knows it, here and at every peer. */
  async #activate(aware: Aware): Promise<void> {
    const { authority, clock } = this.#options;
    const { staged, intermediate, trust } = authority;
    if (staged === undefined) return;
    const fingerprint = fingerprintOf(staged);
    const without = trust.latest?.without ?? [];
    const lacks = ({ cluster, connected, report }: ClusterProgress) =>
      cluster !== authority.cluster &&
      !isLeftOut(cluster, without) &&
      (!connected || (report !== undefined && !report.known.has(fingerprint)));
    const everybody = aware.known.includes(fingerprint) && !this.progress().some(lacks);
    const sameRoot = intermediate !== undefined && trust.roots.some((root) => signedBy(staged, root) && signedBy(intermediate, root));
    const late =
      intermediate !== undefined && clock.now() > intermediate.notBefore + (intermediate.notAfter - intermediate.notBefore) * patience;
    if (everybody || !authority.ready || (sameRoot && late)) await authority.activate();
  }

  #held(issued: readonly HeldSvid[], held: readonly HeldSvid[]): readonly Laggard[] {
    const { authority, reports, own, quietMs } = this.#options;
    const { signingRoot: signing, trust } = authority;
    if (signing === undefined || trust.roots.length < 2) return [];
    return holding({ signing, issued, held, reports: reports(), own: own(), quietMs, without: trust.latest?.without ?? [] });
  }

  /** A root that is left out goes when nothing here is under it, or when the statement says that it goes anyway. */
  async #release(issued: readonly HeldSvid[]): Promise<void> {
    const { authority } = this.#options;
    const { trust, intermediate, staged } = authority;
    const left = trust.leftOver().map(fingerprintOf);
    if (left.length === 0) return;
    const under = intermediate === undefined ? undefined : rootOver(intermediate, trust.roots);
    // Without a signing certificate of its own under another root nothing would be left to issue with.
    if (staged !== undefined || under === undefined || left.includes(under)) return;
    if (this.#holding.length > 0 && trust.latest?.force !== true) return;
    // Which root an SVID was under cannot be told once its signing certificate is gone: the next rotation is to know that these count nowhere.
    const ends = issued.filter(({ root }) => root !== undefined && left.includes(root));
    await this.#options.ledger.setRetired(ends.map(({ serial }) => serial));
    await authority.dropRoots(left);
    this.#options.log.info({ retired: left, ended: ends.length }, 'a root was retired');
  }

  #say({ known, unaware }: Aware): void {
    const { authority, onWords } = this.#options;
    const { trust, intermediate, cluster } = authority;
    const left = trust.leftOver();
    const fault = left.length === 0 ? '' : 'the root that is left out is still in use here';
    const issuerRoot = intermediate === undefined ? undefined : rootOver(intermediate, trust.roots);
    this.#report = trustReport({ cluster, version: trust.version, issuerRoot, known, unaware, holding: this.#holding, fault });
    const words = this.words();
    const text = JSON.stringify([words.report, words.statements.length, words.intermediateRequest?.toString() ?? '', [...this.#signed]]);
    if (text === this.#told) return;
    this.#told = text;
    onWords();
  }
}
