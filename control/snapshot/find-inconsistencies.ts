import { isIP } from 'node:net';
import type { AssignmentIr, ListenerIr, Resource } from './ir.ts';

/** What is wrong among the resources of one service; a client would refuse or misread it. Empty: nothing. */
export function findInconsistencies(resources: readonly Resource[]): readonly string[] {
  const names = (kind: string) => new Set(resources.filter((r) => r.kind === kind).map((r) => r.name));
  const clusters = names('cluster');
  const assignments = names('endpoints');
  const authz = names('authz');
  const routings = names('routing');
  const faults: string[] = [];
  for (const name of clusters) if (!assignments.has(name)) faults.push(`cluster ${name} has no endpoints resource`);
  for (const name of assignments) if (!clusters.has(name)) faults.push(`endpoints ${name} belong to no cluster`);
  const seen = new Set<string>();
  for (const resource of resources) {
    const id = `${resource.kind} ${resource.name}`;
    if (seen.has(id)) faults.push(`${id} is there twice`);
    seen.add(id);
    if (is(resource, 'route')) {
      if (!clusters.has(resource.value.cluster)) faults.push(`${id} leads to a missing cluster`);
      if (resource.value.mode === 'terminate' && !authz.has(resource.value.authz)) faults.push(`${id} terminates without authorisation`);
    } else if (is(resource, 'listener')) {
      const leads = targetsOf(resource.value);
      for (const { cluster } of leads) if (!clusters.has(cluster)) faults.push(`${id} leads to a missing cluster ${cluster}`);
      for (const { routing } of leads)
        if (routing !== undefined && !routings.has(routing)) faults.push(`${id} names a missing routing ${routing}`);
    } else if (is(resource, 'endpoints')) {
      faults.push(...assignmentFaults(resource.value).map((fault) => `${id}: ${fault}`));
    }
  }
  return faults;
}

/** Listeners of ingress gateways are made of several objects at once, and checked where they are made. */
function targetsOf(listener: ListenerIr): readonly { readonly cluster: string; readonly routing?: string }[] {
  return listener.type === 'service' ? listener.ports : listener.type === 'originate' ? [listener] : [];
}

function assignmentFaults({ endpoints, localities = [] }: AssignmentIr): string[] {
  const faults: string[] = [];
  const priorities = [...new Set(endpoints.map((e) => e.priority))].sort((a, b) => a - b);
  if (priorities.some((p, i) => p !== i)) faults.push(`priorities ${priorities.join()} are not contiguous from 0`);
  for (const { priority, locality, weight } of localities) {
    if (!Number.isInteger(weight) || weight < 0 || weight > 2 ** 32 - 1) faults.push(`${locality}: share ${weight} is no uint32`);
    if (!endpoints.some((e) => e.priority === priority && e.locality === locality)) faults.push(`${locality}: a share of nothing`);
  }
  for (const e of endpoints) {
    if (isIP(e.address) === 0) faults.push(`${e.address} is no IP address`);
    if (!Number.isInteger(e.port) || e.port < 1 || e.port > 65_535) faults.push(`${e.address}: port ${e.port} is out of range`);
    if (!Number.isInteger(e.weight) || e.weight < 0 || e.weight > 2 ** 32 - 1) faults.push(`${e.address}: weight ${e.weight} is no uint32`);
    if (e.viaGateway && e.tls === undefined) faults.push(`${e.address}: a gateway without TLS`);
    if (e.tls !== undefined && e.tls.uriSans.length === 0) faults.push(`${e.address}: no identity is expected`);
  }
  return faults;
}

function is<K extends Resource['kind']>(resource: Resource, kind: K): resource is Resource<K> {
  return resource.kind === kind;
}
