import type { ExportPolicyObject } from '../../core/config/index.ts';
import { matchesGlob } from '../../core/registry/glob.ts';

interface Exportable {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Whether an ExportPolicy names this service: by glob in its own namespace, or over NAMESPACE/NAME when its namespace is `*`; and by every label. */
export function selects(policy: ExportPolicyObject, service: Exportable): boolean {
  const everywhere = policy.namespace === '*';
  if (!everywhere && policy.namespace !== service.namespace) return false;
  const subject = everywhere ? `${service.namespace}/${service.name}` : service.name;
  return (
    policy.spec.services.some((glob) => matchesGlob(glob, subject)) &&
    Object.entries(policy.spec.labels).every(([key, value]) => service.labels[key] === value)
  );
}

/** Clusters (or `*`) that a service is exported to, sorted; empty: it stays at home. */
export function audienceOf(service: Exportable, policies: readonly ExportPolicyObject[]): readonly string[] {
  const audience = policies.filter((policy) => selects(policy, service)).flatMap((policy) => policy.spec.audience);
  return [...new Set(audience)].sort();
}
