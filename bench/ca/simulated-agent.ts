import type { ClientHttp2Stream } from 'node:http2';
import type { SecureContext } from 'node:tls';
import type { Svid } from '../../core/identity/index.ts';
import { exponentialBackoff, isAborted } from '../../core/lifecycle.ts';
import { createCsr, generateKey } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import {
  IdentityService,
  RegisterReply,
  RegisterRequest,
  RegistrationService,
  SvidReply,
} from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { contextOf, framed, GrpcSession } from './grpc-session.ts';

export interface SimulatedAgentOptions {
  readonly instance: string;
  readonly index: number;
  readonly port: number;
  readonly svid: Svid;
}

/** As core/identity/register-instance.ts has them, ms. */
const unansweredMs = 30_000;
const keepaliveMs = 20_000;
const renewMs = 20_000;
/** Between two looks at whether something is due: ten thousand agents look in one process. */
const lookMs = 1_000;

/** What an agent is to a control plane: one connection with its SVID, the registration and its heartbeats on it, and renewals; tried again as agents do it. */
export class SimulatedAgent {
  readonly #options: SimulatedAgentOptions;
  readonly #generation = Math.floor(Date.now() / 1_000);
  readonly #context: SecureContext;
  readonly #stop = new AbortController();
  #session: GrpcSession | undefined;
  /** Why it had to connect again, and how often. */
  readonly lost: string[] = [];
  registered = false;

  constructor(options: SimulatedAgentOptions) {
    this.#options = options;
    this.#context = contextOf(options.svid);
    void this.#run();
  }

  stop(): void {
    this.#stop.abort();
    this.#session?.destroy();
  }

  /** Over the connection that stands; false where there is none, or it was not answered. */
  async renew(): Promise<boolean> {
    const session = this.#session;
    return session?.open === true && (await this.#renewOver(session));
  }

  /** Over a connection of its own. */
  async renewAlone(): Promise<boolean> {
    const session = this.#open();
    try {
      return await this.#renewOver(session);
    } finally {
      session.destroy();
    }
  }

  #open(): GrpcSession {
    return new GrpcSession(this.#options.port, this.#context);
  }

  #renewOver(session: GrpcSession): Promise<boolean> {
    const key = generateKey();
    return new Promise((resolve) => {
      const stream = session.call(IdentityService.renew.path, (message) => {
        resolve(SvidReply.decode(message).chain.length > 0);
      });
      const late = setTimeout(() => stream.close(), renewMs);
      stream.on('close', () => {
        clearTimeout(late);
        resolve(false);
      });
      stream.end(framed(IdentityService.renew.requestSerialize({ csr: createCsr(key) })));
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const backoff = exponentialBackoff({ baseMs: 200, maxMs: 5_000, random: Math.random });
    try {
      while (!signal.aborted) {
        this.lost.push(await this.#connected(() => backoff.reset()));
        await systemClock.sleep(backoff.next(), signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  /** Until it ends; says why. */
  async #connected(onRegistered: () => void): Promise<string> {
    const session = this.#open();
    this.#session = session;
    let why = 'closed';
    let heardAt = performance.now();
    let silenceMs = unansweredMs;
    let heartbeatMs = 1_000;
    const give = (reason: string) => {
      why = reason;
      session.destroy();
    };
    const stream = session.call(RegistrationService.register.path, (message) => {
      const reply = RegisterReply.decode(message);
      heardAt = performance.now();
      heartbeatMs = reply.heartbeatMs;
      silenceMs = 3 * heartbeatMs;
      if (this.registered || !reply.durable) return;
      this.registered = true;
      onRegistered();
      this.#report(stream);
    });
    stream.on('close', () => give('its stream ended'));
    this.#hello(stream);
    let beatAt = performance.now();
    let pingAt = beatAt;
    const timer = setInterval(() => {
      const now = performance.now();
      if (now - heardAt > silenceMs) return give('silence');
      if (now - pingAt >= keepaliveMs) {
        pingAt = now;
        session.ping();
      }
      if (this.registered && now - beatAt >= heartbeatMs) {
        beatAt = now;
        this.#report(stream);
      }
    }, lookMs);
    await session.closed;
    clearInterval(timer);
    this.registered = false;
    this.#session = undefined;
    return why;
  }

  #say(stream: ClientHttp2Stream, body: NonNullable<RegisterRequest['body']>): void {
    if (!stream.destroyed) stream.write(framed(RegisterRequest.encode({ body }).finish()));
  }

  #report(stream: ClientHttp2Stream): void {
    const services = [{ namespace: 'shop', name: 'orders', healthy: true, reason: '' }];
    this.#say(stream, { $case: 'report', value: { draining: false, services, sockets: [] } });
  }

  #hello(stream: ClientHttp2Stream): void {
    const { instance, index } = this.#options;
    const services = [{ namespace: 'shop', name: 'orders', port: 80, protocol: 'http', portName: 'http' }];
    this.#say(stream, {
      $case: 'hello',
      value: {
        instance,
        generation: this.#generation,
        network: 'dc',
        addresses: ['127.0.0.1'],
        role: { $case: 'workload', value: { inboundPort: 10_000 + index, services } },
        labels: {},
        locality: '',
        version: 'bench',
      },
    });
  }
}
