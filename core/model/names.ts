/** Names that both sides of the xDS seam must spell alike. Forms are Istio's. */

export const systemNamespace = 'isthmus-system';
export const gatewayServiceAccount = 'gateway';
/** Of gateways for people outside the mesh. */
export const ingressServiceAccount = 'ingress';
export const controlServiceAccount = 'control';
/** SNI and cluster subset that asks a gateway to be the mTLS end. */
export const gatewaySubset = 'gateway';

/** The same for the endpoints of one subset. No user's subset has an underscore. */
export function gatewaySubsetOf(subset: string): string {
  return subset === '' ? gatewaySubset : `${gatewaySubset}_${subset}`;
}

/** Undefined: a passthrough subset (maybe empty); else the user's subset behind a gateway that is the mTLS end. */
export function terminatedSubset(subset: string): string | undefined {
  if (subset === gatewaySubset) return '';
  return subset.startsWith(`${gatewaySubset}_`) ? subset.slice(gatewaySubset.length + 1) : undefined;
}

/** SNI subset that asks a gateway for endpoints behind tunnels that it holds; `subset`: a user's, maybe empty. */
export function tunnelSubsetOf(subset: string): string {
  return `tunnel_${subset}`;
}

/**
 * SNI subset that asks for the endpoints of another cluster's network whose gateways nobody can dial, at a gateway that holds their
 * tunnels and at them alike. `subset`: what those would be asked for if they could be dialled.
 */
export function siteSubsetOf(site: { readonly cluster: string; readonly network: string }, subset: string): string {
  return `site_${site.cluster}_${site.network}_${subset}`;
}

export interface ServiceTarget {
  readonly port: number;
  /** Empty: endpoints that terminate mTLS themselves, all of them. */
  readonly subset: string;
  readonly host: string;
}

/** xDS cluster name for callers: `outbound|PORT|SUBSET|HOST`. */
export function outboundClusterName(t: ServiceTarget): string {
  return `outbound|${t.port}|${t.subset}|${t.host}`;
}

/** xDS cluster name for a gateway's own network: `local|PORT|SUBSET|HOST`. */
export function localClusterName(t: ServiceTarget): string {
  return `local|${t.port}|${t.subset}|${t.host}`;
}

/** `outbound_.PORT_.SUBSET_.HOST`; with an empty subset `outbound_.PORT_._.HOST`, as Istio's AUTO_PASSTHROUGH gateways read it. */
export function sniName(t: ServiceTarget): string {
  return `outbound_.${t.port}_.${t.subset}_.${t.host}`;
}

const sniForm = /^outbound_\.([0-9]{1,5})_\.([a-z0-9_-]*)_\.([a-z0-9.-]{1,253})$/;

/** Undefined when it is not of the form, or the port is out of range. */
export function parseSniName(text: string): ServiceTarget | undefined {
  const match = sniForm.exec(text);
  if (match === null) return undefined;
  const [, port = '', subset = '', host = ''] = match;
  const number = Number(port);
  if (number < 1 || number > 65_535) return undefined;
  return { port: number, subset, host };
}

export function meshHost(service: { readonly namespace: string; readonly name: string }, suffix: string): string {
  return `${service.name}.${service.namespace}.${suffix}`;
}

export function clusterSetHost(service: { readonly namespace: string; readonly name: string }): string {
  return `${service.name}.${service.namespace}.svc.clusterset.local`;
}

/** The DNS SAN that proves which cluster issued an SVID. */
export function clusterSan(cluster: string, trustDomain: string): string {
  return `${cluster}.cluster.${trustDomain}`;
}
