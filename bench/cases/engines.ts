import type { BenchCase } from '../bench-case.ts';
import type { ContenderName, ProxyPlan } from '../engines/contract.ts';
import { engineCase } from '../engines/engine-case.ts';
import type { Wanted } from '../engines/wanted.ts';

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

const full: ProxyPlan = { kind: 'mtls', resume: false };
const resuming: ProxyPlan = { kind: 'mtls', resume: true };

/** A pair: what both processes take. */
const mtls: readonly BenchCase[] = [
  engineCase({
    name: 'engines-mtls-ping-pong',
    about: 'mTLS originated by one process and ended by another, echoes of 64 bytes on 64 connections, beside HAProxy, nginx and Envoy',
    title: 'mTLS pair, 64 connections',
    plan: full,
    load: { kind: 'ping-pong', connections: 64 },
    wanted: roundTrips({ Envoy: 0.65 }),
  }),
  engineCase({
    name: 'engines-mtls-bulk',
    about: 'the same pair, bytes as fast as they go, one way on 4 connections',
    title: 'mTLS pair, bulk',
    plan: full,
    load: { kind: 'bulk', direction: 'up', connections: 4 },
    wanted: bytes({ Envoy: 0.9 }),
  }),
  engineCase({
    name: 'engines-mtls-full',
    about: 'the same pair, new connections with a full handshake each, 16 at a time',
    title: 'mTLS pair, full handshakes',
    plan: full,
    load: { kind: 'connect', atOnce: 16 },
    wanted: connecting({ Envoy: 0.9 }),
  }),
  engineCase({
    name: 'engines-mtls-resumed',
    about: 'the same pair, new connections that resume a session where both ends can; node never does',
    title: 'mTLS pair, resumed handshakes',
    plan: resuming,
    load: { kind: 'connect', atOnce: 16 },
    wanted: connecting({}),
  }),
  engineCase({
    name: 'engines-mtls-idle',
    about: 'the same pair, 1,000 idle connections beside 64 busy ones; memory of the end that terminates',
    title: 'mTLS pair, 1,000 idle, 64 busy',
    plan: resuming,
    load: { kind: 'ping-pong', connections: 64, idle: 1_000 },
    wanted: [
      ...perOperation('round trip', { Envoy: 0.65 }),
      { seen: 'memory', name: 'memory per idle connection', unit: 'KB', atMostItself: 20, plotted: true },
    ],
  }),
];

const manyRoutes = [1_000, 100_000].map((routes) =>
  engineCase({
    name: `engines-routes-${routes}`,
    about: `SNI passthrough, new connections by ${routes.toLocaleString('en')} names, beside the same engines with 16`,
    title: `${routes.toLocaleString('en')} routes`,
    plan: { kind: 'passthrough', routes },
    load: { kind: 'connect', atOnce: 16 },
    wanted: connecting({ HAProxy: 0.8, Envoy: 0.4 }),
    beside: { label: 'with 16 routes', plan: passthrough, atMost: 1.1 },
  }),
);

const changing: readonly BenchCase[] = [
  engineCase({
    name: 'engines-changes',
    about: 'SNI passthrough with 1,000 routes, echoes on 64 connections while an endpoint changes every 10 ms, beside the same without',
    title: 'a change every 10 ms',
    plan: { kind: 'passthrough', routes: 1_000, changeEveryMs: 10 },
    load: { kind: 'ping-pong', connections: 64 },
    wanted: roundTrips({}),
    beside: { label: 'without changes', plan: { kind: 'passthrough', routes: 1_000 }, atMost: 1.1 },
    peers: [],
  }),
];

/** A million connections an hour. */
const seeing: readonly BenchCase[] = [
  engineCase({
    name: 'engines-seeing',
    about:
      'SNI passthrough, 278 new connections a second (a million an hour), each with metrics and a line of access log: what that takes of a CPU',
    title: 'a million connections an hour',
    plan: { ...passthrough, accessLog: true },
    load: { kind: 'connect', atOnce: 14, perSecond: 278 },
    wanted: [
      { seen: 'seeing', name: 'metrics and access log', unit: '% of a CPU', scale: 0.01, atMostItself: 2 },
      { seen: 'rate', name: 'rate', unit: '/s', better: 'more' },
    ],
    ours: ['native'],
    peers: [],
  }),
];

/** By CPU of the proxy's own process. */
export const engines: readonly BenchCase[] = [...pingPong, ...passing, ...mtls, ...manyRoutes, ...changing, ...seeing];
