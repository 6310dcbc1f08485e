import { MeshError } from '../../core/errors.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { formatViolation } from '../../core/validate.ts';
import type { Hello, RegisterReply, RegisterRequest, SocketWatch } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import type { RegisteredInstance } from '../../registries/vm/index.ts';
import type { Caller } from '../grpc/index.ts';
import { checkHello } from './check-hello.ts';
import type { RegistrationServerOptions } from './options.ts';

/** One Register stream: hello, then reports. Every reply says that what was taken is durable. Not for use by several at once. */
export class RegisterSession {
  readonly #options: RegistrationServerOptions;
  readonly #caller: Caller | undefined;
  readonly #source: string;
  readonly #sessions: Map<string, RegisterSession>;
  readonly #evict: (error: MeshError) => void;
  #registered:
    | { readonly key: string; readonly generation: number; readonly grant: string; readonly record: RegisteredInstance }
    | undefined;
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
    const { instances, liveness, ledger, sockets } = this.#options;
    const { key, generation, grant, record } = registered;
    switch (body?.$case) {
      case 'report': {
        const current = await ledger.grant(grant);
        if (current === undefined || current.value.revoked) throw new MeshError('PERMISSION_DENIED', 'this identity was revoked');
        await instances.report(key, generation, body.value);
        if (body.value.sockets.length > 0) await sockets?.take(key, record, body.value.sockets);
        liveness.heard(key);
        return this.#reply(generation, sockets?.watchesFor(record));
      }
      case 'leave':
        await instances.remove(key, generation);
        this.#options.log.info({ registration: key, generation }, 'instance left');
        this.left = true;
        this.close();
        return this.#reply(generation);
      default:
        // A message of a newer version: its sender goes on without it.
        return undefined;
    }
  }

  close(): void {
    this.closed = true;
    const key = this.#registered?.key;
    if (key !== undefined && this.#sessions.get(key) === this) this.#sessions.delete(key);
  }

  async #hello(hello: Hello): Promise<RegisterReply> {
    if (this.#registered !== undefined) throw new MeshError('PROTOCOL_ERROR', 'hello comes once');
    const { instances, liveness, ledger, clock, log } = this.#options;
    const caller = this.#caller;
    if (caller === undefined) throw new MeshError('IDENTITY_INVALID', 'registration needs an SVID of this mesh');
    const grant = await ledger.grantOfSerial(caller.serial);
    const spiffeId = formatSpiffeId(caller.spiffeId);
    if (grant === undefined) {
      log.warn({ spiffeId, serial: caller.serial }, 'registration refused: the SVID was not issued here, or its grant is revoked');
      throw new MeshError('PERMISSION_DENIED', 'this identity was not issued by this cluster, or was revoked');
    }
    const record = checkHello(hello, { grant, source: this.#source, replica: liveness.replica, now: clock.now() });
    if (!record.ok) {
      const text = record.violations.map(formatViolation).join('; ');
      log.warn({ spiffeId, instance: hello.instance, source: this.#source, violations: text }, 'registration refused');
      const forbidden = record.violations.some((violation) => violation.path.startsWith('claims'));
      throw new MeshError(forbidden ? 'PERMISSION_DENIED' : 'CONFIG_INVALID', text);
    }
    const key = await instances.register(record.value);
    liveness.heard(key);
    const { generation } = record.value;
    this.#replace(key, generation);
    this.#registered = { key, generation, grant: grant.id, record: record.value };
    log.info({ registration: key, spiffeId, generation, addresses: record.value.addresses }, 'instance registered');
    return this.#reply(generation, this.#options.sockets?.watchesFor(record.value));
  }

  /** Ends the stream that this one takes over from: fenced when it is of an older start, gone when it is of the same one. */
  #replace(key: string, generation: number): void {
    const old = this.#sessions.get(key);
    this.#sessions.set(key, this);
    if (old === undefined || old === this) return;
    const fenced = (old.#registered?.generation ?? 0) < generation;
    old.close();
    old.#evict(new MeshError(fenced ? 'FENCED' : 'CONFLICT', `instance registered again (generation ${generation})`));
  }

  #reply(generation: number, watchSockets: SocketWatch[] = []): RegisterReply {
    return { generation, heartbeatMs: Math.max(100, Math.floor(this.#options.ttlMs / 3)), durable: true, watchSockets };
  }
}
