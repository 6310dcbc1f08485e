import type { BenchCase, BenchRun } from '../bench-case.ts';
import type { BenchSize } from '../bench-mesh.ts';
import { openBenchAuthority, withFolder } from '../bench-pki.ts';
import { alternate, figureOf } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';
import { startCountingRelay } from '../xds/counting-relay.ts';
import { XdsSite } from '../xds/site.ts';

const clients = 500;
const subscribers = 10;
const sizes: readonly BenchSize[] = [1_000, 10_000, 100_000].map((endpoints) => ({ endpoints, perService: 100 }));
const oneLarge: BenchSize = { endpoints: 10_000, perService: 10_000 };
const sameCost = 1.2;
const fewestChanges = 10;

export const xdsChange: BenchCase = {
  name: 'xds-change',
  about: `one endpoint changes: CPU of the control plane, ${subscribers} subscribers a service, ${clients} clients, up to 100,000 endpoints`,
  run: (bench) =>
    withFolder(async (dir) => {
      const authority = await openBenchAuthority(dir);
      const sites: XdsSite[] = [];
      try {
        for (const size of [...sizes, oneLarge]) {
          const site = await XdsSite.start(authority, size, clients, subscribers);
          sites.push(site);
          await site.fleet.connect(site.control.port, 25);
        }
        return await report(bench, sites);
      } finally {
        await Promise.all(sites.map((site) => site.stop()));
      }
    }),
};

async function report(bench: BenchRun, sites: readonly XdsSite[]): Promise<readonly CaseReport[]> {
  const round = async (site: XdsSite) => {
    const { cpuUs, latencyUs } = await site.change(bench.roundMs, fewestChanges);
    return { cpu: cpuUs, latency: latencyUs };
  };
  const figures = await alternate(Object.fromEntries(sites.map((site) => [nameOf(site.size), () => round(site)])), bench.rounds);
  const of = (size: BenchSize, key: 'cpu' | 'latency') => figures[nameOf(size)]?.[key] ?? figureOf([]);
  const [least = oneLarge, , most = oneLarge] = sizes;
  const growth = figureOf(of(most, 'cpu').rounds.map((cpu, i) => cpu / (of(least, 'cpu').rounds[i] ?? Number.NaN)));
  const every = (key: 'cpu' | 'latency', title: string, unit: string) =>
    [...sizes, oneLarge].map((size) => caseReport({ name: `${title}, ${nameOf(size)}`, unit, better: 'less', ours: of(size, key) }));
  return [
    ...every('cpu', 'xDS change', 'CPU µs'),
    caseReport({
      name: 'xDS change, growth',
      unit: 'x',
      better: 'less',
      ours: growth,
      goal: { text: `< ${sameCost} x`, met: (ours) => ours < sameCost },
    }),
    ...every('latency', 'xDS change at the last subscriber', 'µs'),
  ];
}

export const xdsBytes: BenchCase = {
  name: 'xds-bytes',
  about: 'one endpoint changes: bytes to one subscriber and back, TLS, HTTP/2 and gRPC included',
  run: (bench) =>
    withFolder(async (dir) => {
      const authority = await openBenchAuthority(dir);
      const reports: CaseReport[] = [];
      for (const size of [sizes[0] ?? oneLarge, oneLarge]) {
        const site = await XdsSite.start(authority, size, 1, 1);
        try {
          reports.push(...(await bytesOf(bench, site)));
        } finally {
          await site.stop();
        }
      }
      return reports;
    }),
};

async function bytesOf(bench: BenchRun, site: XdsSite): Promise<readonly CaseReport[]> {
  const relay = await startCountingRelay(site.control.port);
  try {
    await site.fleet.connect(relay.port);
    const round = async () => {
      const before = { down: relay.down(), up: relay.up() };
      const { changes } = await site.change(0, fewestChanges);
      return { down: (relay.down() - before.down) / changes, up: (relay.up() - before.up) / changes };
    };
    const { ours } = await alternate({ ours: round }, bench.rounds);
    const one = (name: string, key: 'down' | 'up') =>
      caseReport({ name: `xDS change, ${name}, ${serviceOf(site.size)}`, unit: 'bytes', better: 'less', ours: ours[key] });
    return [one('to a subscriber', 'down'), one('its answer', 'up')];
  } finally {
    await relay.stop();
  }
}

function serviceOf({ perService }: BenchSize): string {
  return `service of ${perService.toLocaleString('en')}`;
}

function nameOf(size: BenchSize): string {
  const { endpoints, perService } = size;
  return endpoints === perService ? `one ${serviceOf(size)}` : `${endpoints.toLocaleString('en')} endpoints`;
}
