import { gatewayListener, Listener, type MtlsEnd } from '../../../core/xds/envoy/index.ts';
import { envoyTypeUrls } from '../../../core/xds/index.ts';
import type { DialectContext, DialectResource } from '../dialect.ts';
import type { Resource, Snapshot } from '../ir.ts';
import { sealed } from './sealed.ts';

/** The one listener of an east-west gateway. What it only passes through does not show in it: that is found by name. */
export function gather(snapshot: Snapshot, context: DialectContext): readonly DialectResource[] {
  const { listen, trustDomain } = context;
  if (listen === undefined) return [];
  const { route, authz } = snapshot.resources;
  const terminated = [...route.values()].filter((r) => r.value.mode === 'terminate').sort((a, b) => (a.name < b.name ? -1 : 1));
  const ends = terminated.map((r) => ({ route: r, authz: authz.get(r.value.authz) }));
  const inputs = [listen, trustDomain, ...ends.map((end) => [end.route.version, end.authz?.version ?? ''])];
  return [
    sealed(envoyTypeUrls.listener, Listener, 'east-west', inputs, () =>
      gatewayListener(
        listen,
        ends.map((end) => mtlsEnd(end, trustDomain)),
      ),
    ),
  ];
}

function mtlsEnd(end: { route: Resource<'route'>; authz: Resource<'authz'> | undefined }, trustDomain: string): MtlsEnd {
  const { name, value } = end.route;
  return {
    serverNames: [name],
    protocol: value.protocol,
    cluster: value.cluster,
    authorization: { trustDomain, rules: end.authz?.value.rules ?? [] },
  };
}
