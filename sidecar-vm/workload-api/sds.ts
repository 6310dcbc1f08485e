import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { envoyTypeUrls } from '../../core/xds/index.ts';
import { type GrpcService, typeServices, XdsStreams } from '../../core/xds/server/index.ts';
import { LocalView } from '../../gateway/index.ts';
import { noIdentity } from './callers.ts';
import type { WorkloadIdentity, WorkloadTrust } from './contract.ts';
import { workloadSecrets } from './secrets.ts';
import type { SocketCaller } from './socket-front.ts';

export interface SdsOptions {
  readonly callerOf: (call: {
    getPeer(): string;
  }) => { readonly caller: SocketCaller; readonly known: WorkloadIdentity | undefined } | undefined;
  readonly identities: readonly WorkloadIdentity[];
  readonly trust: WorkloadTrust;
  readonly streamsPerUid: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Sds {
  readonly services: readonly GrpcService[];
  /** Ends all streams. Idempotent. */
  close(): Promise<void>;
}

/** Envoy's secret discovery for Envoys that the user runs: the same secrets, to the same callers, as the SPIFFE Workload API. */
export function openSds({ callerOf, identities, trust, streamsPerUid, clock, log }: SdsOptions): Sds {
  const views = new Map(identities.map((identity) => [identity, new LocalView()] as const));
  const refresh = (identity: WorkloadIdentity) =>
    views.get(identity)?.set(envoyTypeUrls.secret, workloadSecrets(identity.source.current(), trust.bundles()));
  const undo = identities.map((identity) => {
    refresh(identity);
    return identity.source.subscribe(() => refresh(identity));
  });
  undo.push(
    trust.subscribe(() => {
      for (const identity of identities) refresh(identity);
    }),
  );
  const streams = new XdsStreams<string>({
    admission: (call) => {
      const { caller, known } = callerOf(call) ?? {};
      const view = known === undefined ? undefined : views.get(known);
      if (caller === undefined || view === undefined) return noIdentity(caller?.uid);
      return {
        countedAs: `uid ${caller.uid}`,
        identify: (node) => ({ client: known?.name ?? '', id: `${node?.id ?? ''} (uid ${caller.uid})`, view, single: false }),
      };
    },
    clock,
    log,
    limits: { streams: 4 * streamsPerUid, streamsPerIdentity: streamsPerUid, subscriptions: 1_024, types: 1, heartbeatMs: 5_000 },
  });
  const stop = new AbortController();
  const running = streams.run(stop.signal);
  return {
    services: typeServices(streams, [envoyTypeUrls.secret]),
    close: async () => {
      for (const end of undo.splice(0)) end();
      stop.abort();
      await running;
    },
  };
}
