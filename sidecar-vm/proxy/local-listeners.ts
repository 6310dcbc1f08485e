import { createHash } from 'node:crypto';
import { mtlsModeOf } from '../../core/authz/index.ts';
import { sniName } from '../../core/model/index.ts';
import {
  type CallerTarget,
  captured,
  captureListener,
  type ExposedEnd,
  exposedListener,
  inboundListener,
  isHttp,
  Listener,
  outboundListener,
  routeConfiguration,
  routingHosts,
  type TrafficSource,
} from '../../core/xds/envoy/index.ts';
import type { EncodedResource } from '../../core/xds/index.ts';
import {
  type CaptureListener,
  type DataPlaneState,
  exposedName,
  type InboundService,
  type OutboundListener,
  type PlainPlace,
} from '../../gateway/index.ts';
import { routingNames } from '../mesh/index.ts';

export const inboundName = 'inbound';
export const captureName = 'capture';

export function outboundName({ address, port, captured: unbound }: Pick<OutboundListener, 'address' | 'port' | 'captured'>): string {
  return `outbound|${address}|${port}${unbound === true ? '|captured' : ''}`;
}

/** Where mTLS comes in, for what this machine serves; undefined where it serves nothing. Pure. */
export function localInbound(
  at: { readonly address: string; readonly port: number },
  services: readonly InboundService[],
  { authz, bundles }: Pick<DataPlaneState, 'authz' | 'bundles'>,
  trustDomain: string,
  attempt: number,
): EncodedResource | undefined {
  const ends = endsOf(services, { authz, bundles }, trustDomain);
  const listener = inboundListener(inboundName, at, ends, 'any');
  return listener === undefined ? undefined : encoded(inboundName, listener, attempt);
}

/** Where callers without mesh come as well, as far as the service's mode has it. `attempt`: as of localOutbound. Pure. */
export function localExposed(
  service: InboundService,
  place: PlainPlace,
  state: Pick<DataPlaneState, 'authz' | 'bundles'>,
  trustDomain: string,
  attempt: number,
): EncodedResource {
  const name = exposedName(place);
  const mode = mtlsModeOf(state.authz.get(`${service.namespace}/${service.service}`)?.mtls, service.port);
  const [end] = endsOf([service], state, trustDomain);
  if (end === undefined) throw new TypeError('an end for each service');
  return encoded(name, exposedListener(name, place, end, mode), attempt);
}

function endsOf(
  services: readonly InboundService[],
  { authz, bundles }: Pick<DataPlaneState, 'authz' | 'bundles'>,
  trustDomain: string,
): ExposedEnd[] {
  const deniedSerials = bundles.get(trustDomain)?.deniedSerials ?? [];
  const federated = [...bundles.values()].flatMap((bundle) => (bundle.federated === true ? [bundle.trustDomain] : [])).sort();
  return services.map(({ namespace, service, port, protocol, hosts, appAddress = '127.0.0.1', appPort, forwardClientCert }) => ({
    serverNames: hosts.map((host) => sniName({ port, subset: '', host })),
    protocol,
    // The control plane sends it: it knows the program's address from what Envoy says of itself.
    cluster: `inbound|${port}||${hosts[0] ?? ''}`,
    app: { address: appAddress, port: appPort },
    ...(forwardClientCert === 'sanitize' ? { nameless: true as const } : {}),
    // Without a word about who may call, nobody may.
    authorization: {
      trustDomain,
      rules: [],
      ...authz.get(`${namespace}/${service}`),
      deniedSerials,
      ...(federated.length === 0 ? {} : { federated }),
    },
  }));
}

/** Where a packet filter leads connections of local programs. Pure. */
export function localCapture({ address, port, closed }: CaptureListener, attempt: number): EncodedResource {
  return encoded(captureName, captureListener(captureName, { address, port }, closed), attempt);
}

/** What decides where calls go, as this agent was told. */
export type CallerState = Pick<DataPlaneState, 'routings' | 'listeners' | 'clusters'>;

/** `attempt`: makes another version of the same, for an Envoy that could not bind it and is to try again. Pure. */
export function localOutbound(listener: OutboundListener, state: CallerState, source: TrafficSource, attempt: number): EncodedResource {
  const { address, port, clusterName, protocol } = listener;
  const name = outboundName(listener);
  const routingName = routingNames(state).get(clusterName) ?? '';
  const routing = state.routings.get(routingName);
  const trafficOf = (cluster: string) => state.clusters.get(cluster)?.traffic;
  const hashOn = (cluster: string) => {
    const balancer = trafficOf(cluster)?.loadBalancer;
    return balancer?.type === 'hash' ? balancer.on : undefined;
  };
  const traffic = trafficOf(clusterName);
  const target: CallerTarget = {
    protocol,
    cluster: clusterName,
    ...(traffic === undefined ? {} : { traffic }),
    ...(routing === undefined
      ? {}
      : {
          routes: isHttp(protocol)
            ? routeConfiguration(routingName, routingHosts(routing), { source, hashOn })
            : { l4: routing.l4, source },
        }),
  };
  const made = outboundListener(name, { address, port }, target);
  return encoded(name, listener.captured === true ? captured(made) : made, attempt);
}

function encoded(name: string, listener: Listener, attempt: number): EncodedResource {
  const value = Listener.encode(listener).finish();
  const digest = createHash('sha256').update(value).digest('hex').slice(0, 32);
  return { name, version: attempt === 0 ? digest : `${digest}-${attempt}`, value };
}
