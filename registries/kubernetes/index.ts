import type { AdapterDeps, RegistrySource } from '../../core/registry/index.ts';
import { type ClientLimits, defaultClientLimits, KubernetesClient } from './client.ts';
import { KubernetesAccess, type KubernetesSpec } from './config.ts';
import { KubernetesSource, type ReflectorLimits } from './watch.ts';

type KubernetesLimits = ReflectorLimits & Partial<ClientLimits>;

/** A source over one Kubernetes API; connects when watched. `limits`: shorter ones for tests. */
export function createKubernetesSource(spec: KubernetesSpec, deps: AdapterDeps, limits: KubernetesLimits = {}): RegistrySource {
  const client = new KubernetesClient(new KubernetesAccess(spec.connection), { ...defaultClientLimits, ...limits });
  return new KubernetesSource(spec.connection, spec.rules, client, deps, limits);
}

export { createKubernetesPublisher } from './publish.ts';
