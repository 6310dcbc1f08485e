import { MeshError } from '../../core/errors.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { formatViolation } from '../../core/validate.ts';
import type { Hello, RegisterReply, RegisterRequest, Report, SocketWatch } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { instanceKey, type RegisteredInstance } from '../../registries/vm/index.ts';
import { holderName } from '../ca/index.ts';
import type { Caller } from '../grpc/index.ts';
import { checkHello } from './check-hello.ts';
import type { RegistrationServerOptions } from './options.ts';
import { classOf } from './refused-registrations.ts';

/** Characters of what a caller says that go into logs before it has been checked. */
const mostShown = 128;

interface Registered {
  readonly key: string;
  readonly generation: number;
  readonly grant: string;
  readonly record: RegisteredInstance;
}

/** One Register stream: hello, then reports. Every reply says that what was taken is durable. Not for use by several at once. */
export class RegisterSession {
  readonly #options: RegistrationServerOptions;
  readonly #caller: Caller | undefined;
  readonly #source: string;
  readonly #sessions: Map<string, RegisterSession>;
  readonly #evict: (error: MeshError) => void;
  #registered: Registered | undefined;
  /** The last report that was looked at whole, and when (ms, monotonic). */
  #last: { readonly text: string; readonly at: number } | undefined;
  /** When it was last heard, ms, monotonic, and after how long it is to be heard again. */
  #beatAt = 0;
  #nextMs = 0;
  closed = false;
  left = false;

  constructor(
    options: RegistrationServerOptions,
    caller: Caller | undefined,
    source: string,
    sessions: Map<string, RegisterSession>,
    evict: (error: MeshError) => void,
  ) {
    this.#options = options;
    this.#caller = caller;
    this.#source = source;
    this.#sessions = sessions;
    this.#evict = evict;
  }

  /** Throws the MeshError that ends the stream. */
  async take(request: RegisterRequest): Promise<RegisterReply | undefined> {
    const { body } = request;
    if (body?.$case === 'hello') return this.#hello(body.value);
    const registered = this.#registered;
    if (registered === undefined) throw new MeshError('PROTOCOL_ERROR', 'the first message must be hello');
    const { instances, ledger, sockets } = this.#options;
    const { key, generation, grant, record } = registered;
    switch (body?.$case) {
      case 'roots':
        this.#options.roots?.take(holderName(record), body.value);
        return undefined;
      case 'report':
        await this.#heard(registered, body.value);
        return this.#reply(registered, sockets?.watchesFor(record));
      case 'leave':
        if (await instances.remove(key, generation)) await ledger.setLeft(grant, true, key);
        this.#options.log.info({ registration: key, generation }, 'instance left');
        this.left = true;
        this.close();
        return this.#reply(registered);
      default:
        // A message of a newer version: its sender goes on without it.
        return undefined;
    }
  }

  /**
   * A heartbeat that says what the one before said is a sign of life, and no more, unless the last look is a TTL ago: of a revocation or a newer start
   * connections hear by themselves; what is read here is for those that have not.
   */
  async #heard({ key, generation, grant, record }: Registered, report: Report): Promise<void> {
    const { instances, liveness, ledger, sockets, plaintext, reach, refused, ttlMs, clock } = this.#options;
    const text = report.sockets.length === 0 && report.plaintext === undefined ? JSON.stringify(report) : undefined;
    const now = clock.monotonic();
    if (text !== undefined && text === this.#last?.text && now - this.#last.at < ttlMs && now - this.#beatAt <= ttlMs / 2) {
      this.#beatAt = now;
      this.#nextMs = liveness.heard(key);
      return;
    }
    // Together, as they come by the thousand: reads that are asked for at once share one.
    const [current, stored] = await Promise.all([ledger.grant(grant), instances.stored(key)]);
    if (current === undefined || current.value.revoked) {
      refused.refuse(grant, 'revoked', 'its identity was revoked', { registration: key, source: this.#source });
      throw new MeshError('PERMISSION_DENIED', 'this identity was revoked');
    }
    await instances.report(key, generation, report, stored);
    if (report.sockets.length > 0) await sockets?.take(key, record, report.sockets);
    if (report.plaintext !== undefined) plaintext?.take(key, record, report.plaintext);
    this.#nextMs = liveness.heard(key);
    reach?.reported(key, report);
    // After a silence it may have been found to be silent while this was read: the next one is looked at, too.
    const late = now - this.#beatAt > ttlMs / 2;
    this.#beatAt = now;
    this.#last = text === undefined || late ? undefined : { text, at: now };
  }

  close(): void {
    this.closed = true;
    const registered = this.#registered;
    if (registered === undefined || this.#sessions.get(registered.key) !== this) return;
    this.#sessions.delete(registered.key);
    this.#options.reach?.gone(registered.key, registered.generation);
    this.#options.roots?.gone(holderName(registered.record));
  }

  async #hello(hello: Hello): Promise<RegisterReply> {
    if (this.#registered !== undefined) throw new MeshError('PROTOCOL_ERROR', 'hello comes once');
    const { instances, liveness, ledger, reach, refused, clock, log } = this.#options;
    const caller = this.#caller;
    if (caller === undefined) {
      const detail = 'without an SVID, or with one that has ended or was denied since';
      refused.refuse(undefined, 'no-certificate', detail, { instance: hello.instance.slice(0, mostShown), source: this.#source });
      throw new MeshError('IDENTITY_INVALID', 'registration needs an SVID of this mesh');
    }
    const grant = await ledger.grantOfSerial(caller.serial);
    const spiffeId = formatSpiffeId(caller.spiffeId);
    const about = { spiffeId, serial: caller.serial, instance: hello.instance.slice(0, mostShown), source: this.#source };
    if (grant === undefined) {
      const revoked = await ledger.issuedOn(caller.serial);
      if (revoked === undefined) refused.refuse(undefined, 'not-issued-here', 'the ledger does not know its SVID', about);
      else refused.refuse(revoked.id, 'revoked', 'its identity was revoked', about);
      throw new MeshError('PERMISSION_DENIED', 'this identity was not issued by this cluster, or was revoked');
    }
    const record = checkHello(hello, { grant, source: this.#source, replica: liveness.replica, now: clock.now() });
    if (!record.ok) {
      const text = record.violations.map(formatViolation).join('; ');
      refused.refuse(grant.id, classOf(record.violations), text, about);
      const forbidden = record.violations.some((violation) => violation.path.startsWith('claims'));
      throw new MeshError(forbidden ? 'PERMISSION_DENIED' : 'CONFIG_INVALID', text);
    }
    if (grant.left === true) await ledger.setLeft(grant.id, false);
    const { key, record: stored } = await instances.register(record.value).catch((error: unknown) => {
      if (error instanceof MeshError && error.code === 'FENCED') {
        refused.refuse(grant.id, 'fenced', error.message, about);
        const key = instanceKey(record.value);
        const holder = this.#sessions.get(key);
        this.#fences(key, holder === undefined ? [this.#source] : [holder.#source, this.#source]);
      }
      throw error;
    });
    refused.taken(grant.id);
    this.#nextMs = liveness.heard(key);
    const { generation } = stored;
    this.#replace(key, generation);
    this.#registered = { key, generation, grant: grant.id, record: stored };
    this.#beatAt = clock.monotonic();
    reach?.registered(key, stored);
    log.info({ registration: key, spiffeId, generation, addresses: record.value.addresses }, 'instance registered');
    return this.#reply(this.#registered, this.#options.sockets?.watchesFor(stored));
  }

  /** Ends the stream that this one takes over from: fenced when it is of an older start, gone when it is of the same one. */
  #replace(key: string, generation: number): void {
    const old = this.#sessions.get(key);
    this.#sessions.set(key, this);
    if (old === undefined || old === this) return;
    const fenced = (old.#registered?.generation ?? 0) < generation;
    if (fenced && !old.closed) this.#fences(key, [old.#source, this.#source]);
    old.close();
    old.#evict(new MeshError(fenced ? 'FENCED' : 'CONFLICT', `instance registered again (generation ${generation})`));
  }

  #fences(key: string, sources: readonly string[]): void {
    const { takeovers, log } = this.#options;
    takeovers
      ?.note(key, sources)
      .catch((error: unknown) => log.warn({ registration: key, error: String(error) }, 'a takeover was not noted'));
  }

  #reply({ key, generation }: { readonly key: string; readonly generation: number }, watchSockets: SocketWatch[] = []): RegisterReply {
    const { reach } = this.#options;
    const looked = reach?.of(key);
    const said = looked === undefined ? undefined : { state: looked.state, reason: looked.reason, atMs: Math.round(looked.at) };
    return { generation, heartbeatMs: this.#nextMs, durable: true, watchSockets, reach: said };
  }
}
