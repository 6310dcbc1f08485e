import { until } from '../../support/until.ts';
import type { ControlHost } from '../scenario/isthmus-process.ts';
import { joinVm } from '../scenario/isthmus-process.ts';
import { type Host, install, type Running, type RunningConsul } from '../servers/index.ts';
import { startLoad } from '../site-loss/load-process.ts';
import type { Load, LoadLine, Sample } from '../site-loss/samples.ts';
import { appPort, tcpPort } from './runtimes.ts';

export type CallerKind = 'isthmus' | 'envoy' | 'plain';

/** One program that calls the service, steadily, each in its own way. */
export interface Caller {
  readonly kind: CallerKind;
  readonly host: Host;
  /** Where shop/orders is for it, and shop/ledger; who answers there, only its proxy knows. */
  readonly urls: Readonly<Record<Service, string>>;
}

export type Service = 'orders' | 'ledger';

/** On the caller's loopback. */
const outbound = { orders: 18_080, ledger: 18_081 } as const;

export async function startSidecarCaller(
  host: Host,
  control: ControlHost,
  kind: 'isthmus' | 'envoy',
): Promise<{ readonly caller: Caller; readonly agent: Running }> {
  const byEnvoy = kind === 'envoy' ? ['--envoy-path', (await install('envoy')).binary('envoy')] : [];
  const orders = ['--outbound', `orders.shop.mesh.internal:${appPort}=${outbound.orders}`];
  const ledger = ['--outbound', `ledger.shop.mesh.internal:${tcpPort}=${outbound.ledger}`];
  const flags = [...orders, ...ledger, '--proxy', kind, ...byEnvoy];
  const agent = await joinVm(host, control, { service: `shop/${kind}-caller`, port: 80, flags });
  const urls = { orders: `http://127.0.0.1:${outbound.orders}/`, ledger: `tcp://127.0.0.1:${outbound.ledger}` };
  return { caller: { kind, host, urls }, agent };
}

/** Finds the services as programs of that Consul do, where a gateway stands for them. */
export async function findPlainCaller(host: Host, consul: RunningConsul): Promise<Caller> {
  const find = (service: Service) =>
    until(`a gateway for ${service} in Consul`, async () => {
      const { body } = await consul.api('GET', `/v1/health/service/${service}-mesh?passing`);
      const [entry] = JSON.parse(body) as { Service: { Address: string; Port: number } }[];
      return entry === undefined ? undefined : `${entry.Service.Address}:${entry.Service.Port}`;
    });
  return { kind: 'plain', host, urls: { orders: `http://${await find('orders')}/`, ledger: `tcp://${await find('ledger')}` } };
}

/** The load of all callers. */
export interface Loads {
  readonly kinds: readonly CallerKind[];
  /** Answers and failures until now, of all. */
  counts(): { readonly answered: number; readonly failed: number };
  /** Until each caller has had so many answers more. */
  more(answers: number): Promise<void>;
  finish(): Promise<ReadonlyMap<CallerKind, Load>>;
  kill(): Promise<void>;
}

/** `rate` requests or connections a second, of each caller: after ten seconds, in which it grows. */
export async function startLoads(callers: readonly Caller[], service: Service, rate: number): Promise<Loads> {
  for (const { host, urls, kind } of callers) {
    const { hostname, port } = new URL(urls[service]);
    const answers = async () =>
      service === 'orders' ? (await host.reach.request({ url: urls.orders })).status === 200 : await isOpen(host, hostname, Number(port));
    await until(`an answer to ${kind}`, answers, 60_000);
  }
  const running = callers.map(({ kind, host, urls }) => ({ kind, load: startLoad(host, urls[service], { gets: rate, posts: 0 }) }));
  const answeredIn = (lines: readonly LoadLine[]) =>
    lines.reduce((sum, { answers }) => sum + Object.values(answers).reduce((a, b) => a + b, 0), 0);
  return {
    kinds: callers.map(({ kind }) => kind),
    more: async (answers) => {
      const wanted = running.map(({ kind, load }) => ({ kind, load, least: answeredIn(load.seconds) + answers }));
      for (const { kind, load, least } of wanted)
        await until(`${answers} more answers to ${kind}`, () => answeredIn(load.seconds) >= least, 60_000);
    },
    counts: () => {
      const lines = running.flatMap(({ load }) => load.seconds);
      const answered = answeredIn(lines);
      return { answered, failed: lines.reduce((sum, { failed }) => sum + failed, 0) };
    },
    finish: async () => {
      const loads = new Map<CallerKind, Load>();
      for (const { kind, load } of running) loads.set(kind, await load.finish());
      return loads;
    },
    kill: async () => {
      for (const { load } of running) await load.kill();
    },
  };
}

async function isOpen(host: Host, address: string, port: number): Promise<boolean> {
  return (await host.reach.dial(address, port, 2_000)) === 'open';
}

/** Whose answer it was, also where it was a failure of the app's own; undefined: nobody's. */
export function backendOf({ ok, site, error }: Sample): string | undefined {
  if (ok) return site;
  return /^500: (\S+)/.exec(error)?.[1];
}
