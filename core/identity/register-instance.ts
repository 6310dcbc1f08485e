import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { MeshError, toMeshError } from '../errors.ts';
import { childController, exponentialBackoff, isAborted } from '../lifecycle.ts';
import type { Log } from '../log.ts';
import type { Hello, Reach, RegisterReply, Report, SocketWatch } from '../xds/gen/isthmus/agent/v1/agent.ts';
import { controlChannel, freshControlChannel } from './control-channel.ts';
import { nextGeneration } from './generation.ts';
import { openRegisterStream, type RegisterStream } from './register-stream.ts';
import type { SvidSource } from './svid.ts';

export interface RegisterInstanceOptions {
  readonly source: SvidSource;
  /** Owner-only folder that keeps the generation. */
  readonly dir: string;
  /** HOST:PORT of the control plane, asked at each attempt; tried in turn. */
  readonly addresses: () => readonly string[];
  /** What it registers as, until `registerAs`. */
  readonly hello: Omit<Hello, 'generation' | 'start'>;
  /** What to say first. */
  readonly report: Report;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface RegistrationStatus {
  /** `refused`: the control plane said no (lastError says why); it is asked again, slowly. */
  readonly state: 'connecting' | 'registered' | 'refused' | 'fenced' | 'left';
  readonly generation: number;
  readonly lastError?: string;
}

export interface InstanceRegistration {
  /** Registers as this from now on: at once and on a new connection, as the one before may be of an address that is gone. The same start, not a newer one. */
  registerAs(hello: Omit<Hello, 'generation' | 'start'>): void;
  /** Says something new: sent at once, and repeated as the heartbeat. Latest wins. */
  report(report: Report): void;
  status(): RegistrationStatus;
  /** Which connections the control plane last asked to be told of; mostly none. */
  watches(): readonly SocketWatch[];
  /** What the control plane found when it connected back; undefined before it has looked. */
  reach(): Reach | undefined;
  /** Called after each change of status, of what is watched, and of what connecting back found. Returns its undoing. */
  subscribe(listener: () => void): () => void;
  /** Deregisters; resolves when that is durable, or the control plane can't be asked within `deadlineMs`: then the instance expires there. */
  leave(deadlineMs: number): Promise<void>;
  /** Resolves after `leave` or the signal; rejects with MeshError FENCED when another start of this instance, a newer one but for copies, has taken over. */
  readonly ended: Promise<void>;
}

/** Keeps one instance registered until the signal aborts, through restarts of the control plane. The generation is durable before it is said. */
export async function registerInstance(options: RegisterInstanceOptions): Promise<InstanceRegistration> {
  const registration = new Registration(options, await nextGeneration(options.dir, options.clock.now()));
  registration.begin();
  return registration;
}

/** What a control plane may take for its first answer, ms: one to which thousands come back lets them in one after the other. */
const unansweredMs = 30_000;

class Registration implements InstanceRegistration {
  readonly ended: Promise<void>;
  readonly #options: RegisterInstanceOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stop: AbortController;
  readonly #release: () => void;
  #resolveEnded: () => void = () => {};
  #rejectEnded: (error: MeshError) => void = () => {};
  #report: Report;
  /** Of this start alone, as a copy of this machine that starts within the same second has its generation. */
  readonly #start = randomUUID();
  #hello: Omit<Hello, 'generation' | 'start'>;
  /** Set while it waits between two connections. */
  #hurry: (() => void) | undefined;
  #renamed = false;
  #status: RegistrationStatus;
  #stream: RegisterStream | undefined;
  #attempt = 0;
  /** Set when the connection that stands may lead nowhere: the next attempt makes one of its own. */
  #astray = false;
  /** Streams in a row that were never answered. */
  #unanswered = 0;
  #watches: readonly SocketWatch[] = [];
  #reach: Reach | undefined;
  /** On this stream. */
  #toldRoots = '';

  constructor(options: RegisterInstanceOptions, generation: number) {
    this.#options = options;
    this.#report = options.report;
    this.#hello = options.hello;
    this.#status = { state: 'connecting', generation };
    const { controller, release } = childController(options.signal);
    this.#stop = controller;
    this.#release = release;
    this.ended = new Promise((resolve, reject) => {
      this.#resolveEnded = resolve;
      this.#rejectEnded = reject;
    });
    this.ended.catch(() => undefined);
  }

  begin(): void {
    void this.#run().finally(() => this.#release());
  }

  registerAs(hello: Omit<Hello, 'generation' | 'start'>): void {
    this.#hello = hello;
    this.#renamed = true;
    this.#astray = true;
    this.#stream?.destroy();
    this.#hurry?.();
  }

  report(report: Report): void {
    this.#report = report;
    if (this.#status.state === 'registered') this.#stream?.send({ $case: 'report', value: report });
  }

  status(): RegistrationStatus {
    return this.#status;
  }

  watches(): readonly SocketWatch[] {
    return this.#watches;
  }

  reach(): Reach | undefined {
    return this.#reach;
  }

  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  async leave(deadlineMs: number): Promise<void> {
    const stream = this.#stream;
    const timer = new AbortController();
    if (stream !== undefined && this.#status.state === 'registered') {
      stream.send({ $case: 'leave', value: {} });
      const late = this.#options.clock.sleep(deadlineMs, timer.signal).catch(() => undefined);
      await Promise.race([stream.ended.catch(() => undefined), late]);
      timer.abort();
    }
    this.#set('left');
    this.#stop.abort();
    await this.ended.catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { log, random } = this.#options;
    const backoff = exponentialBackoff({ baseMs: 200, maxMs: 5_000, random });
    while (!this.#stop.signal.aborted) {
      this.#renamed = false;
      try {
        await this.#connect(() => backoff.reset());
        if (this.#status.state !== 'left') this.#set('connecting');
      } catch (error) {
        const fault = toMeshError(error);
        if (fault.code === 'FENCED') {
          const { hello } = this.#options;
          this.#set('fenced', fault.message);
          log.error({ generation: this.#status.generation }, 'another start of this instance has taken over: this one is out');
          this.#rejectEnded(new MeshError('FENCED', `${fault.message}; ${afterFence(hello.instance)}`, { cause: fault }));
          return;
        }
        if (this.#stop.signal.aborted) break;
        if (this.#renamed) {
          this.#set('connecting', 'what it registers as has changed');
          continue;
        }
        this.#set(fault.retryable ? 'connecting' : 'refused', fault.message);
        log.warn({ error: fault.message }, 'not registered');
      }
      const slow = this.#status.state === 'refused' ? 5_000 + random() * 10_000 : 0;
      await this.#pause(backoff.next() + slow);
    }
    this.#resolveEnded();
  }

  async #pause(ms: number): Promise<void> {
    const { controller, release } = childController(this.#stop.signal);
    this.#hurry = () => controller.abort();
    if (this.#renamed) controller.abort();
    await this.#options.clock.sleep(ms, controller.signal).catch((error: unknown) => {
      if (!isAborted(error)) throw error;
    });
    this.#hurry = undefined;
    release();
  }

  /** One stream, until it ends. Silence of three heartbeats counts as its end: a half-open connection says nothing else. */
  async #connect(onRegistered: () => void): Promise<void> {
    const { source, clock } = this.#options;
    const addresses = this.#options.addresses();
    const address = addresses[this.#attempt++ % Math.max(1, addresses.length)];
    if (address === undefined) throw new MeshError('PEER_UNREACHABLE', 'no address of a control plane is known', { retryable: true });
    const channelOf = this.#astray ? freshControlChannel : controlChannel;
    this.#astray = false;
    const channel = channelOf(source, { cluster: source.current().cluster, now: () => clock.now() });
    let heardAt = clock.monotonic();
    // Until the control plane has said how often it wants to hear.
    let heartbeatMs = 500;
    let silenceMs = unansweredMs;
    const over = childController(this.#stop.signal);
    const stream = openRegisterStream(address, channel, (reply: RegisterReply) => {
      heardAt = clock.monotonic();
      this.#unanswered = 0;
      heartbeatMs = Math.min(60_000, Math.max(50, reply.heartbeatMs));
      silenceMs = 3 * Math.max(heartbeatMs, 1_000);
      this.#heard(reply);
      if (!reply.durable || this.#status.state === 'registered' || this.#status.state === 'left') return;
      onRegistered();
      this.#set('registered');
      stream.send({ $case: 'report', value: this.#report });
      this.#tellRoots(stream);
    });
    this.#stream = stream;
    this.#toldRoots = '';
    stream.send({ $case: 'hello', value: { ...this.#hello, generation: this.#status.generation, start: this.#start } });
    const undo = source.subscribe(() => {
      if (this.#status.state === 'registered') this.#tellRoots(stream);
    });
    const beat = this.#beat(stream, over.controller.signal, () => ({ heartbeatMs, silent: clock.monotonic() - heardAt > silenceMs }));
    try {
      await stream.ended;
    } finally {
      undo();
      over.controller.abort();
      over.release();
      this.#stream = undefined;
      await beat;
    }
  }

  /** What is as it was is not said again: whoever was told ages it. */
  #tellRoots(stream: RegisterStream): void {
    const value = this.#options.source.rootReport?.();
    if (value === undefined) return;
    const text = JSON.stringify({ ...value, uses: value.uses.map((use) => ({ ...use, idleMs: 0 })) });
    if (text === this.#toldRoots) return;
    this.#toldRoots = text;
    stream.send({ $case: 'roots', value });
  }

  async #beat(stream: RegisterStream, signal: AbortSignal, state: () => { heartbeatMs: number; silent: boolean }): Promise<void> {
    try {
      for (;;) {
        await this.#options.clock.sleep(state().heartbeatMs, signal);
        if (state().silent) {
          // Whoever is not answered may only wait for its turn, which a connection of its own would lose.
          const answered = this.#status.state === 'registered';
          this.#unanswered = answered ? 0 : this.#unanswered + 1;
          this.#astray = answered || this.#unanswered > 1;
          return stream.destroy();
        }
        if (this.#status.state !== 'registered') continue;
        stream.send({ $case: 'report', value: this.#report });
        this.#tellRoots(stream);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
      if (this.#stop.signal.aborted) stream.destroy();
    }
  }

  #set(state: RegistrationStatus['state'], lastError?: string): void {
    const { generation } = this.#status;
    if (this.#status.state === state && this.#status.lastError === lastError) return;
    this.#status = lastError === undefined ? { state, generation } : { state, generation, lastError };
    this.#tell();
  }

  #heard({ watchSockets, reach }: RegisterReply): void {
    if (JSON.stringify([watchSockets, reach]) === JSON.stringify([this.#watches, this.#reach])) return;
    this.#watches = watchSockets;
    this.#reach = reach;
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A restart needs nothing; two machines of one name need two names, whatever their tokens are. */
function afterFence(instance: string): string {
  const anew = 'isthmus vm join TOKEN --reset-identity --instance NAME, with a token of its own';
  return `if another machine is called ${instance} too, or this disk is a copy of its: ${anew} and a name that nobody has (the default is the host name)`;
}
