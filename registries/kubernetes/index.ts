import type { AdapterDeps, ObjectWatch, RegistrySource, WatchedKind } from '../../core/registry/index.ts';
import { type ClientLimits, defaultClientLimits, KubernetesClient } from './client.ts';
import { KubernetesAccess, type KubernetesSpec } from './config.ts';
import { KubernetesSource, type ReflectorLimits } from './watch.ts';
import { KubernetesObjects, type ObjectWatchLimits } from './watch-objects.ts';

type KubernetesLimits = ReflectorLimits & Partial<ClientLimits>;

/** A source over one Kubernetes API; connects when watched. `limits`: shorter ones for tests. */
export function createKubernetesSource(spec: KubernetesSpec, deps: AdapterDeps, limits: KubernetesLimits = {}): RegistrySource {
  const client = new KubernetesClient(new KubernetesAccess(spec.connection), { ...defaultClientLimits, ...limits });
  return new KubernetesSource(spec.connection, spec.rules, client, deps, limits);
}

/** The custom resources of one Kubernetes API; connects when run. `limits`: shorter ones for tests. */
export function createKubernetesObjects(
  connection: KubernetesSpec['connection'],
  kinds: readonly WatchedKind[],
  deps: AdapterDeps,
  limits: ObjectWatchLimits & Partial<ClientLimits> = {},
): ObjectWatch {
  const client = new KubernetesClient(new KubernetesAccess(connection), { ...defaultClientLimits, ...limits });
  return new KubernetesObjects(connection, kinds, client, deps, limits);
}

export { createKubernetesNativeNames } from './native-names.ts';
export { createKubernetesPublisher } from './publish.ts';
export type { TokenReview, TokenReviewer } from './token-review.ts';
export { createTokenReviewer } from './token-review.ts';
