import type { ObtainedIdentity, RegistrationStatus } from '../core/identity/index.ts';
import { formatSpiffeId } from '../core/model/index.ts';
import { version } from '../core/version.ts';
import type { GatewayStatus, ListenAddress } from './admin/index.ts';
import { proxyBefore } from './envoy/describe-proxy.ts';
import type { EnvoyProxy } from './envoy/envoy-proxy.ts';
import type { Ingress } from './ingress/ingress.ts';
import type { GatewayOptions } from './options.ts';
import type { OwnProxy } from './own-proxy.ts';
import type { StateFeed } from './state/index.ts';
import type { Tunnels } from './tunnel/open-tunnels.ts';

export interface GatewayParts {
  readonly options: GatewayOptions;
  readonly listen: ListenAddress | undefined;
  readonly identity: ObtainedIdentity | undefined;
  readonly registration: RegistrationStatus | undefined;
  readonly feed: StateFeed | undefined;
  readonly own: OwnProxy | undefined;
  /** Tunnels that it keeps itself. */
  readonly kept: Tunnels | undefined;
  readonly proxy: EnvoyProxy | undefined;
  readonly draining: boolean;
}

/** What `isthmus status` and probes are told. */
export function describeGateway(parts: GatewayParts): GatewayStatus {
  const { options, listen, registration, feed, own } = parts;
  const plane = own?.plane;
  const proxy = parts.proxy?.status() ?? proxyBefore(options.proxy);
  const reason = whyNotReady(parts);
  const client = feed?.status();
  const ageMs = feed?.ageMs();
  return {
    instance: options.instance,
    version,
    ready: reason === undefined,
    reason: reason ?? `serving from ${feed?.from() === 'disk' ? 'disk' : 'the control plane'}`,
    network: options.network,
    kind: options.kind,
    ...(listen === undefined ? {} : { listen: { address: listen.address, port: listen.port } }),
    ...identityOf(parts.identity),
    registration,
    data: {
      from: feed?.from() ?? 'nothing',
      ...(ageMs === undefined ? {} : { ageMs }),
      controlPlane: client?.address ?? '',
      connected: client?.state === 'connected',
      streams: client?.attempts ?? 0,
      ...(client?.lastError === undefined ? {} : { lastError: client.lastError.message }),
      rejected: (client?.types ?? []).flatMap(({ typeUrl, rejected }) =>
        rejected.map(({ name, reason: why }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf('.') + 1), name, reason: why })),
      ),
    },
    proxy,
    ...(plane === undefined ? {} : { engine: plane.engine }),
    connections: proxy.kind === 'envoy' ? proxy.connections : (plane?.openConnections ?? 0),
    // Where tunnels are taken is no route.
    routes: [...(plane?.tables.sni.values() ?? [])].filter((rule) => rule.mode !== 'tunnel').length,
    originate: { open: own?.originate?.ports ?? [], failed: own?.originate?.failed ?? [] },
    ...ingressOf(own?.ingress),
    ejected: [...(plane?.tables.ejected ?? [])],
    tunnels: { kept: parts.kept?.status() ?? [], held: own?.tunnels?.status() ?? [] },
  };
}

function whyNotReady({ identity, feed, own, proxy, draining }: GatewayParts): string | undefined {
  if (draining) return 'draining';
  if (identity === undefined) return 'no identity yet: no control plane has answered';
  if (feed === undefined || (own === undefined && proxy === undefined)) return 'starting';
  const envoy = proxy?.status();
  if (envoy?.kind === 'envoy' && envoy.state !== 'live') return envoy.problem ?? `Envoy is ${envoy.state}`;
  if (feed.from() === 'nothing') return 'no configuration yet: none on disk, and no control plane has given any';
  if (identity.status().state === 'expired') return 'the SVID has expired: nobody can be served until a control plane renews it';
  return undefined;
}

function identityOf(identity: ObtainedIdentity | undefined): Pick<GatewayStatus, 'identity'> {
  if (identity === undefined) return {};
  const { spiffeId, cluster, notAfter } = identity.current();
  const { state, lastError } = identity.status();
  const error = lastError === undefined ? {} : { lastError };
  return { identity: { spiffeId: formatSpiffeId(spiffeId), cluster, notAfter: new Date(notAfter).toISOString(), state, ...error } };
}

function ingressOf(ingress: Ingress | undefined): Pick<GatewayStatus, 'ingress'> {
  if (ingress === undefined) return {};
  const { certificates, ...ports } = ingress.status();
  const said = certificates.map(({ notAfter, ...each }) => ({
    ...each,
    ...(notAfter === undefined ? {} : { notAfter: new Date(notAfter).toISOString() }),
  }));
  return { ingress: { ...ports, certificates: said } };
}
