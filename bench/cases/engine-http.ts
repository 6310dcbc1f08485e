import type { BenchCase } from '../bench-case.ts';
import type { ContenderName, HttpPlan } from '../engines/contract.ts';
import { engineCase } from '../engines/engine-case.ts';
import type { Wanted } from '../engines/wanted.ts';

const ours: readonly ContenderName[] = ['prototype', 'node'];
const goals = { Envoy: 1 };
const small = 64;
const large = 1_000_000;

const perRequest: readonly Wanted[] = [
  { seen: 'cpu', name: 'CPU per request', unit: 'µs', atMost: goals, plotted: true },
  { seen: 'system', name: 'CPU of the machine per request', unit: 'µs' },
  { seen: 'rate', name: 'rate', unit: '/s', better: 'more' },
  { seen: 'p50', name: 'p50', unit: 'µs' },
  { seen: 'p99', name: 'p99', unit: 'µs', asBest: true },
];
const perGigabyte: readonly Wanted[] = [
  { seen: 'cpu', name: 'CPU per GB', unit: 's', scale: 1e6, atMost: goals, plotted: true },
  { seen: 'system', name: 'CPU of the machine per GB', unit: 's', scale: 1e6 },
  { seen: 'rate', name: 'rate', unit: 'GB/s', better: 'more' },
];

const spoken = { http1: 'HTTP/1.1', http2: 'HTTP/2' } as const;

function caseOf(version: HttpPlan['version'], size: number, connections: number, streams: number): BenchCase {
  const bulk = size === large;
  const load =
    version === 'http1' ? ({ kind: version, connections, size } as const) : ({ kind: version, connections, streams, size } as const);
  const what = `${bulk ? 'answers of 1 MB' : `answers of ${size} bytes`} on ${connections} connections`;
  return engineCase({
    name: `engines-${version}-${bulk ? 'bulk' : 'small'}`,
    about: `${spoken[version]} in the clear by a handful of rules, ${what}${version === 'http2' ? `, ${streams} streams on each` : ''}: the prototype and the TypeScript path`,
    title: `${spoken[version]}, ${bulk ? '1 MB' : `${size} bytes`}`,
    plan: { kind: 'http', version, size },
    load,
    wanted: bulk ? perGigabyte : perRequest,
    ours,
    peers: version === 'http1' ? ['HAProxy', 'nginx', 'Envoy'] : ['HAProxy', 'Envoy'],
  });
}

/** HTTP, forwarded by a prototype of the engine and by what gateways run today. */
export const engineHttp: readonly BenchCase[] = [
  caseOf('http1', small, 64, 1),
  caseOf('http1', large, 8, 1),
  caseOf('http2', small, 8, 8),
  caseOf('http2', large, 8, 1),
];
