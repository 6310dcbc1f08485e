import type { Clock } from '../../core/clock.ts';
import type { SvidSource } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import type { StateView } from '../context.ts';
import { trustOf } from '../tables.ts';
import type { TunnelStatus } from './contract.ts';
import { defaultTunnelTiming, TunnelKeeper, type TunnelTiming } from './keeper.ts';
import { leadStream } from './lead-stream.ts';
import { defaultMuxLimits } from './mux.ts';
import type { TunnelSecret } from './secret.ts';
import { tunnelTargets } from './tables.ts';

export interface OpenTunnelsOptions {
  /** Gateways come from here, and are kept on disk with it. */
  readonly state: StateView;
  readonly identity: SvidSource;
  /** As the node calls itself; its registration is NAMESPACE~SERVICE-ACCOUNT~INSTANCE. */
  readonly instance: string;
  readonly secret: TunnelSecret;
  /** To so many gateways of each cluster. */
  readonly count: number;
  /** The node's own mTLS listener: every stream is led there. */
  readonly listener: () => { readonly address: string; readonly port: number };
  readonly timing?: Partial<TunnelTiming>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** The tunnels of a node that nobody can dial. */
export interface Tunnels {
  /** Until `signal` aborts; then all of it is closed. */
  run(signal: AbortSignal): Promise<void>;
  /** Nothing new comes in; each tunnel ends with its last stream. */
  drain(): void;
  status(): readonly TunnelStatus[];
  /** Since the start, and bytes from callers and to them. */
  counters(): { readonly streams: number; readonly bytesReceived: number; readonly bytesSent: number };
  /** Called after each change of which tunnels stand. Returns its undoing. */
  subscribe(listener: () => void): () => void;
}

export function openTunnels(options: OpenTunnelsOptions): Tunnels {
  const { state, identity, secret, count, listener, clock, random, log } = options;
  const { namespace, serviceAccount } = identity.current().spiffeId;
  const listeners = new Set<() => void>();
  const counters = { streams: 0, bytesReceived: 0, bytesSent: 0 };
  const keeper = new TunnelKeeper({
    instance: `${namespace}~${serviceAccount}~${options.instance}`,
    secret: secret.secret,
    count,
    targets: () => tunnelTargets(state.current),
    svid: () => identity.current(),
    trust: () => trustOf(state.current, identity.bundle()),
    onStream: (stream) => {
      const { address, port } = listener();
      counters.streams += 1;
      const onBytes = (direction: 'up' | 'down', length: number) => {
        if (direction === 'up') counters.bytesReceived += length;
        else counters.bytesSent += length;
      };
      void leadStream(stream, { host: loopbackOf(address), port, onBytes });
    },
    onChange: () => {
      for (const each of [...listeners]) each();
    },
    limits: defaultMuxLimits,
    timing: { ...defaultTunnelTiming, ...options.timing },
    clock,
    random,
    log,
  });
  return {
    run: async (signal) => {
      const undo = [state.subscribe(() => keeper.nudge()), identity.subscribe(() => keeper.nudge())];
      try {
        await keeper.run(signal);
      } finally {
        for (const each of undo) each();
      }
    },
    drain: () => keeper.drain(),
    status: () => keeper.status(),
    counters: () => ({ ...counters }),
    subscribe: (each) => {
      const entry = () => each();
      listeners.add(entry);
      return () => listeners.delete(entry);
    },
  };
}

/** Where a listener that is bound to everything is reached from its own machine. */
function loopbackOf(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}
