import {
  Cluster,
  gatewayListener,
  gatewayListenerName,
  internalHopCluster,
  internalHopListener,
  internalHopName,
  Listener,
  type MtlsEnd,
  needsInternalHop,
} from '../../../core/xds/envoy/index.ts';
import { envoyTypeUrls } from '../../../core/xds/index.ts';
import type { DialectContext, DialectResource } from '../dialect.ts';
import type { Resource, Snapshot } from '../ir.ts';
import { callers } from './callers.ts';
import { sealed } from './sealed.ts';

export function gather(snapshot: Snapshot, context: DialectContext): readonly DialectResource[] {
  return [...eastWest(snapshot, context), ...callers(snapshot, context)];
}

/** The one listener of an east-west gateway. What it only passes through does not show in it: that is found by name. */
function eastWest(snapshot: Snapshot, context: DialectContext): readonly DialectResource[] {
  const { listen, trustDomain, logging } = context;
  if (listen === undefined) return [];
  const { route, authz, bundle } = snapshot.resources;
  const { deniedSerials = [], others } = bundle.get(trustDomain)?.value ?? {};
  const federated = others === undefined ? {} : { federated: others };
  const terminated = [...route.values()].filter((r) => r.value.mode === 'terminate').sort((a, b) => (a.name < b.name ? -1 : 1));
  const rules = terminated.map((r) => authz.get(r.value.authz));
  const ends = terminated.map((r, i) => {
    const { rules: own = [], tokens } = rules[i]?.value ?? {};
    return mtlsEnd(r, { trustDomain, rules: own, deniedSerials, ...federated, ...(tokens === undefined ? {} : { tokens }) });
  });
  const said = logging === undefined ? [] : [logging];
  const inputs = [
    listen,
    trustDomain,
    deniedSerials,
    ...(others ?? []),
    ...said,
    ...terminated.map((r, i) => [r.version, rules[i]?.version ?? '']),
  ];
  const listener = sealed(envoyTypeUrls.listener, Listener, gatewayListenerName, inputs, () => gatewayListener(listen, ends, logging));
  return ends.some(needsInternalHop) ? [listener, ...hopOf(logging)] : [listener];
}

function hopOf(logging: DialectContext['logging']): readonly DialectResource[] {
  const said = logging === undefined ? [] : [logging];
  return [
    sealed(envoyTypeUrls.cluster, Cluster, internalHopName, [], internalHopCluster),
    sealed(envoyTypeUrls.listener, Listener, internalHopName, said, () => internalHopListener(logging)),
  ];
}

function mtlsEnd({ name, value }: Resource<'route'>, authorization: MtlsEnd['authorization']): MtlsEnd {
  return { serverNames: [name], protocol: value.protocol, cluster: value.cluster, authorization };
}
