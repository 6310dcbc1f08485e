import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import type { Host } from '../servers/index.ts';

/** A gateway or agent, asked on its own machine what it serves at this moment. */
interface DataPlane {
  readonly name: string;
  look(): Promise<DataPlaneLook>;
}

interface DataPlaneLook {
  /** Fed by a control plane, and not from disk or from what it had. */
  readonly connected: boolean;
  /** Usable endpoints by xDS cluster or listener. */
  readonly endpoints: ReadonlyMap<string, number>;
}

async function page<T>(host: Host, path: string): Promise<T> {
  const { status, body } = await host.reach.request({ url: `http://127.0.0.1:15021${path}` });
  if (status !== 200) throw new Error(`${host.name} answered ${status} to ${path}`);
  return JSON.parse(body) as T;
}

interface Assignment {
  readonly clusterName: string;
  readonly endpoints: readonly { readonly weight: number; readonly draining: boolean }[];
}

export function gatewayOf(host: Host): DataPlane {
  return {
    name: `gateway of ${host.site}`,
    look: async () => {
      const { data } = await page<{ data: { connected: boolean } }>(host, '/v1/gateway');
      const { assignments } = await page<{ assignments: readonly Assignment[] }>(host, '/v1/gateway/config');
      const usable = ({ endpoints }: Assignment) => endpoints.filter((e) => e.weight > 0 && !e.draining).length;
      return { connected: data.connected, endpoints: new Map(assignments.map((a) => [a.clusterName, usable(a)])) };
    },
  };
}

export function agentOf(host: Host): DataPlane {
  type Status = { data: { connected: boolean }; outbound: readonly { host: string; port: number; endpoints: number }[] };
  return {
    name: `agent of ${host.name}`,
    look: async () => {
      const { data, outbound } = await page<Status>(host, '/v1/agent');
      return { connected: data.connected, endpoints: new Map(outbound.map((o) => [`${o.host}:${o.port}`, o.endpoints])) };
    },
  };
}

/** Looks at data planes again and again, and notes whenever one has fewer endpoints somewhere than at the first look. */
export class FlapWatch {
  readonly losses: string[] = [];
  /** Once the first look at each is done. */
  readonly started: Promise<void>;
  readonly #planes: readonly DataPlane[];
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;

  constructor(planes: readonly DataPlane[]) {
    this.#planes = planes;
    const first = Promise.all(planes.map((p) => p.look()));
    this.started = first.then((looks) => {
      if (looks.some(({ endpoints }) => endpoints.size === 0)) throw new Error('a data plane without endpoints has nothing to lose');
    });
    this.#loop = first.then((looks) => this.#run(looks));
  }

  /** Until every data plane is fed by a control plane again. */
  async fed(): Promise<void> {
    for (const plane of this.#planes) await until(`${plane.name} is connected`, async () => (await plane.look()).connected, 60_000);
  }

  /** Ends it after one more look at each. Rejects when a data plane did not answer a look. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(first: readonly DataPlaneLook[]): Promise<void> {
    for (let last = false; !last; ) {
      last = this.#stop.signal.aborted;
      for (const [i, plane] of this.#planes.entries()) this.#compare(plane.name, first[i]?.endpoints ?? new Map(), await plane.look());
      await delay(100, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  #compare(name: string, before: ReadonlyMap<string, number>, { endpoints }: DataPlaneLook): void {
    for (const [where, count] of before) {
      const now = endpoints.get(where) ?? 0;
      if (now < count) this.losses.push(`${name}: ${where} has ${now} endpoints, had ${count}`);
    }
  }
}
