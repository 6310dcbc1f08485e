import type { BenchCase } from '../bench-case.ts';
import type { ContenderName, ProxyPlan } from '../engines/contract.ts';
import { engineCase, type Wanted } from '../engines/engine-case.ts';

const passthrough: ProxyPlan = { kind: 'passthrough', routes: 16 };
type Goals = Partial<Readonly<Record<ContenderName, number>>>;

/** CPU is the proxy's; `system` is everything on the machine, load and origin included. */
const perOperation = (what: string, goals: Goals, unit = 'µs'): readonly Wanted[] => {
  const scale = unit === 's' ? 1e6 : 1;
  return [
    { seen: 'cpu', name: `CPU per ${what}`, unit, scale, atMost: goals, plotted: true },
    { seen: 'system', name: `CPU of the machine per ${what}`, unit, scale },
  ];
};
const latencies: readonly Wanted[] = [
  { seen: 'p50', name: 'p50', unit: 'µs' },
  { seen: 'p99', name: 'p99', unit: 'µs', asBest: true },
  { seen: 'p999', name: 'p99.9', unit: 'µs' },
];
const rate = (unit: string): Wanted => ({ seen: 'rate', name: 'rate', unit, better: 'more' });
const roundTrips = (goals: Goals): readonly Wanted[] => [...perOperation('round trip', goals), rate('/s'), ...latencies];
const connecting = (goals: Goals): readonly Wanted[] => [...perOperation('connection', goals), rate('/s'), ...latencies];
const bytes = (goals: Goals): readonly Wanted[] => [...perOperation('GB', goals, 's'), rate('GB/s')];
const roundTripGoals = { HAProxy: 0.85, Envoy: 0.5 };

const pingPong = [1, 64, 1_000].map((connections) =>
  engineCase({
    name: `engines-passthrough-${connections}`,
    about: `SNI passthrough, echoes of 64 bytes on ${connections} connections, beside HAProxy, nginx and Envoy`,
    title: `passthrough, ${connections} connection${connections === 1 ? '' : 's'}`,
    plan: passthrough,
    load: { kind: 'ping-pong', connections },
    wanted: roundTrips(roundTripGoals),
  }),
);

const passing: readonly BenchCase[] = [
  engineCase({
    name: 'engines-connect',
    about: 'SNI passthrough, new connections: ClientHello, one echo, close; 16 at a time',
    title: 'new connections',
    plan: passthrough,
    load: { kind: 'connect', atOnce: 16 },
    wanted: connecting({ HAProxy: 0.8, Envoy: 0.4 }),
  }),
  ...(['up', 'both'] as const).map((direction) =>
    engineCase({
      name: `engines-bulk-${direction === 'up' ? 'one-way' : 'both-ways'}`,
      about: `SNI passthrough, bytes as fast as they go, ${direction === 'up' ? 'one way' : 'both ways'} on 4 connections`,
      title: `bulk ${direction === 'up' ? 'one way' : 'both ways'}`,
      plan: passthrough,
      load: { kind: 'bulk', direction, connections: 4 },
      wanted: bytes({ HAProxy: 0.5, Envoy: 0.2 }),
    }),
  ),
  engineCase({
    name: 'engines-idle',
    about: 'SNI passthrough, 8,000 idle connections beside 64 busy ones',
    title: '8,000 idle, 64 busy',
    plan: passthrough,
    load: { kind: 'ping-pong', connections: 64, idle: 8_000 },
    wanted: [...roundTrips(roundTripGoals), { seen: 'memory', name: 'memory per idle connection', unit: 'KB', plotted: true }],
  }),
];

/** By CPU of the proxy's own process. */
export const engines: readonly BenchCase[] = [...pingPong, ...passing];
