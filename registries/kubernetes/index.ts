import type { KubernetesConnection, RegistrySpec } from '../../core/config/index.ts';
import type { AdapterDeps } from '../../core/registry/index.ts';
import { KubernetesClient } from './client.ts';
import { KubernetesAccess } from './config.ts';
import { KubernetesSource, type ReflectorLimits } from './watch.ts';

type KubernetesSpec = RegistrySpec & { readonly connection: KubernetesConnection };

/** A source over one Kubernetes API; connects when watched. `limits`: for tests. */
export function createKubernetesSource(spec: KubernetesSpec, deps: AdapterDeps, limits: ReflectorLimits = {}): KubernetesSource {
  return new KubernetesSource(spec.connection, spec.rules, new KubernetesClient(new KubernetesAccess(spec.connection)), deps, limits);
}

export type { Skipped } from './cluster-state.ts';
export type { KubernetesSource } from './watch.ts';
