import { setMaxListeners } from 'node:events';
import { MeshError } from '../../core/errors.ts';
import { attestChannel, formatJoinToken, type JoinToken, makeSvid, parseJoinToken, type Svid, unary } from '../../core/identity/index.ts';
import { bundleOf, createCsr, generateKey } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { IdentityClient } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { SimulatedAgent } from './simulated-agent.ts';

/** At once: a fleet does not join within one millisecond. */
const atOnce = 24;
const callMs = 20_000;
/** ms between two looks. */
const lookMs = 100;

/** What a renewal goes over. */
export type RenewalOver = 'a standing connection' | 'one of its own';

/** Agents as the control plane sees them: each with an identity, a connection, a registration and heartbeats of its own. */
export class Fleet {
  readonly #stop = new AbortController();
  readonly #agents: SimulatedAgent[] = [];

  constructor() {
    // Each call listens.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Joins so many more; resolves when all are registered. They attest over connections that they share: what is measured is what comes after. */
  async join(count: number, text: string, port: number): Promise<void> {
    const token = parseJoinToken(text);
    if (!token.ok) throw new Error('a token that cannot be read');
    const { trustDomain, root, cluster } = token.value;
    const bundle = bundleOf(trustDomain, [root]);
    const channel = attestChannel(bundle, { cluster, now: () => systemClock.now() });
    const client = new IdentityClient(`127.0.0.1:${port}`, channel.credentials, channel.options);
    const first = this.#agents.length;
    let next = first;
    const { signal } = this.#stop;
    try {
      await this.#together(async () => {
        while (next < first + count) {
          const index = next++;
          const instance = `vm-${index}`;
          const svid = await attested(client, token.value, instance, signal);
          this.#agents.push(new SimulatedAgent({ instance, index, port, svid }));
        }
      });
    } finally {
      client.close();
    }
    await this.registered();
  }

  /** Until all are. */
  async registered(): Promise<void> {
    while (!this.#agents.every((agent) => agent.registered)) await systemClock.sleep(lookMs, this.#stop.signal);
  }

  /** Each has renewed at a control plane that answers, and all are registered there. */
  async backAndRenewed(): Promise<void> {
    let left = this.#agents;
    while (left.length > 0) {
      const ready = left.filter(({ registered }) => registered);
      const again = left.filter(({ registered }) => !registered);
      await this.#together(async () => {
        for (let agent = ready.pop(); agent !== undefined; agent = ready.pop()) if (!(await agent.renew())) again.push(agent);
      });
      if (again.length > 0) await systemClock.sleep(lookMs, this.#stop.signal);
      left = again;
    }
    await this.registered();
  }

  /** How often connections were lost since this was asked last, by why. */
  losses(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const why of this.#agents.flatMap(({ lost }) => lost.splice(0))) counts[why] = (counts[why] ?? 0) + 1;
    return counts;
  }

  stop(): void {
    this.#stop.abort();
    for (const agent of this.#agents) agent.stop();
  }

  /** All of them, one renewal after the other, for `ms`. */
  async renewing(ms: number, over: RenewalOver): Promise<void> {
    const end = performance.now() + ms;
    await Promise.all(
      this.#agents.map(async (agent) => {
        while (performance.now() < end) await (over === 'a standing connection' ? agent.renew() : agent.renewAlone());
      }),
    );
  }

  async #together(work: () => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: atOnce }, work));
  }
}

async function attested(client: IdentityClient, token: JoinToken, instance: string, signal: AbortSignal): Promise<Svid> {
  const key = generateKey();
  const request = { attestor: 'join-token', proof: Buffer.from(formatJoinToken(token)), csr: createCsr(key), instance };
  for (;;) {
    try {
      const { chain } = await unary(client.attest.bind(client), request, callMs, signal);
      const svid = makeSvid(chain, key);
      if (!svid.ok) throw new Error('an SVID that cannot be read');
      return svid.value;
    } catch (error) {
      // A connection without an SVID does not live for long; the same key may redeem again.
      if (!(error instanceof MeshError && error.retryable)) throw error;
    }
  }
}
