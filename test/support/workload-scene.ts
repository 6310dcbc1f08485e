import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ClientReadableStream, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import type { SettableSvidSource, TrustBundle } from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { systemClock } from '../../core/system-clock.ts';
import { SpiffeWorkloadAPIClient } from '../../core/xds/gen/spiffe/workload/workload.ts';
import type { Selectors } from '../../sidecar-vm/identities/index.ts';
import { noSelectors } from '../../sidecar-vm/identities/index.ts';
import { startWorkloadApi, type WorkloadApi, type WorkloadIdentity } from '../../sidecar-vm/workload-api/index.ts';
import type { WorkloadApiLimits } from '../../sidecar-vm/workload-api/limits.ts';
import { temporaryDir } from './control-plane.ts';
import { MeshPki } from './mesh-pki.ts';
import { onEnd } from './on-end.ts';

export interface WorkloadScene {
  readonly pki: MeshPki;
  readonly api: WorkloadApi;
  readonly metrics: Registry;
  /** By service account. */
  readonly sources: ReadonlyMap<string, SettableSvidSource>;
  setBundles(bundles: readonly TrustBundle[]): void;
  client(): SpiffeWorkloadAPIClient;
}

/** The Workload API with identities whose keys the test has; each is `ns/shop/sa/NAME`. */
export async function workloadScene(
  t: TestContext,
  identities: Readonly<Record<string, Partial<Selectors>>>,
  limits: Partial<WorkloadApiLimits> = {},
  signJwt: (name: string, audiences: readonly string[]) => ReturnType<WorkloadIdentity['signJwt']> = () =>
    Promise.reject(new Error('nobody signs here')),
): Promise<WorkloadScene> {
  const dir = await temporaryDir(t);
  await chmod(dir, 0o755);
  const pki = new MeshPki();
  const sources = new Map(Object.keys(identities).map((name) => [name, pki.source('east', 'shop', name)]));
  let bundles: readonly TrustBundle[] = [pki.bundle];
  const listeners = new Set<() => void>();
  const metrics = new Registry();
  const api = await startWorkloadApi({
    socket: join(dir, 'run', 'workload.sock'),
    identities: [...sources].map(([name, source]) => ({
      name,
      source,
      signJwt: (audiences) => signJwt(name, audiences),
      hint: `the ${name}`,
      selectors: { ...noSelectors, ...identities[name] },
    })),
    trust: {
      bundles: () => bundles,
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    metrics,
    clock: systemClock,
    log: silentLog,
    limits,
  });
  onEnd(t, () => api.close());
  return {
    pki,
    api,
    metrics,
    sources,
    setBundles: (next) => {
      bundles = next;
      for (const listener of listeners) listener();
    },
    client: () => {
      const client = new SpiffeWorkloadAPIClient(`unix:${api.socket}`, credentials.createInsecure(), {
        'grpc.use_local_subchannel_pool': 1,
      });
      onEnd(t, () => client.close());
      return client;
    },
  };
}

export function securityHeader(): Metadata {
  const metadata = new Metadata();
  metadata.set('workload.spiffe.io', 'true');
  return metadata;
}

/** What a stream says, in order; `next` waits. */
export class Said<T> {
  readonly all: T[] = [];
  error: ServiceError | undefined;
  readonly #stream: ClientReadableStream<T>;

  constructor(t: TestContext, stream: ClientReadableStream<T>) {
    this.#stream = stream;
    stream.on('data', (message: T) => this.all.push(message));
    stream.on('error', (error: ServiceError) => {
      this.error ??= error;
    });
    onEnd(t, () => stream.cancel());
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }
}
