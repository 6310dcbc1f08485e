import type { Health } from '../../core/model/index.ts';
import { type BuiltServices, buildServices, type NativeInstance, type RegistryRules } from '../../core/registry/index.ts';
import type { Allocation, NomadNode, Registration } from './schema.ts';

/** Ports that Nomad's clients pick unless configured otherwise (`min_dynamic_port`, `max_dynamic_port`). */
const dynamicPorts = { min: 20_000, max: 32_000 };

/** A registration with what else Nomad knows of it. */
export interface KnownInstance {
  readonly registration: Registration;
  /** Absent: garbage-collected, or never there: the registration is a leftover. */
  readonly allocation: Allocation | undefined;
  /** Absent: nodes may not be read, or it is gone. */
  readonly node: NomadNode | undefined;
  /** Statuses of the service's own checks in this allocation; empty: none known. */
  readonly checks: readonly string[];
}

/**
 * Mesh services of one Nomad service. Pure. Registrations outlive outages of their nodes, so one counts only while its allocation
 * does: running, or lost from sight (`unknown`), which is unhealthy. See docs/connect-nomad.md for the mapping.
 */
export function translateService(
  instances: readonly KnownInstance[],
  rules: RegistryRules,
  region: string,
  createdAt: number,
): BuiltServices {
  const native = instances.flatMap((i) => {
    const health = healthOf(i);
    return health === undefined ? [] : [toInstance(i.registration, health, region)];
  });
  return buildServices(native, rules, 'nomad', createdAt);
}

/** Undefined: does not count. */
export function healthOf({ allocation, node, checks }: KnownInstance): Health | undefined {
  if (allocation === undefined) return undefined;
  if (allocation.ClientStatus === 'unknown') return 'unhealthy';
  if (allocation.ClientStatus !== 'running') return undefined;
  if (node?.Status === 'down' || node?.Status === 'disconnected') return 'unhealthy';
  if (allocation.DesiredStatus !== 'run' || allocation.DesiredTransition?.Migrate === true) return 'draining';
  if (checks.includes('failure')) return 'unhealthy';
  return checks.includes('pending') ? 'unknown' : 'healthy';
}

function toInstance(r: Registration, health: Health, region: string): NativeInstance {
  return {
    name: r.ServiceName,
    nativeNamespace: r.Namespace,
    // Nomad's registrations have tags only; `key=value` ones serve as meta.
    meta: Object.fromEntries((r.Tags ?? []).flatMap((tag) => (tag.indexOf('=') > 0 ? [splitTag(tag)] : []))),
    tags: r.Tags ?? [],
    instance: r.ID,
    address: r.Address,
    port: r.Port,
    health,
    weight: 1,
    ...(region === '' ? {} : { locality: { region, zone: r.Datacenter ?? '', subzone: '' } }),
    order: r.CreateIndex,
    dynamicPort: r.Port >= dynamicPorts.min && r.Port <= dynamicPorts.max,
  };
}

function splitTag(tag: string): [string, string] {
  const at = tag.indexOf('=');
  return [tag.slice(0, at), tag.slice(at + 1)];
}
