/** What people type for a kind: its name in any case, its plural, or the short name that kubectl has for it. */
export interface KindName {
  readonly kind: string;
  readonly group: string;
  readonly plural: string;
  readonly short: readonly string[];
}

const istio = 'networking.istio.io';
const gatewayApi = 'gateway.networking.k8s.io';
const mcs = 'multicluster.x-k8s.io';

/** Every kind that may be applied. */
export const appliableKinds: readonly KindName[] = [
  { kind: 'VirtualService', group: istio, plural: 'virtualservices', short: ['vs'] },
  { kind: 'DestinationRule', group: istio, plural: 'destinationrules', short: ['dr'] },
  { kind: 'Gateway', group: istio, plural: 'gateways', short: ['gw'] },
  { kind: 'ServiceEntry', group: istio, plural: 'serviceentries', short: ['se'] },
  { kind: 'Sidecar', group: istio, plural: 'sidecars', short: [] },
  { kind: 'WorkloadEntry', group: istio, plural: 'workloadentries', short: ['we'] },
  { kind: 'WorkloadGroup', group: istio, plural: 'workloadgroups', short: ['wg'] },
  { kind: 'Telemetry', group: 'telemetry.istio.io', plural: 'telemetries', short: ['telemetry'] },
  { kind: 'AuthorizationPolicy', group: 'security.istio.io', plural: 'authorizationpolicies', short: ['ap'] },
  { kind: 'PeerAuthentication', group: 'security.istio.io', plural: 'peerauthentications', short: ['pa'] },
  { kind: 'RequestAuthentication', group: 'security.istio.io', plural: 'requestauthentications', short: ['ra'] },
  { kind: 'Gateway', group: gatewayApi, plural: 'gateways', short: ['gtw'] },
  { kind: 'HTTPRoute', group: gatewayApi, plural: 'httproutes', short: [] },
  { kind: 'GRPCRoute', group: gatewayApi, plural: 'grpcroutes', short: [] },
  { kind: 'TLSRoute', group: gatewayApi, plural: 'tlsroutes', short: [] },
  { kind: 'TCPRoute', group: gatewayApi, plural: 'tcproutes', short: [] },
  { kind: 'ReferenceGrant', group: gatewayApi, plural: 'referencegrants', short: ['refgrant'] },
  { kind: 'ServiceExport', group: mcs, plural: 'serviceexports', short: ['svcex'] },
  { kind: 'ServiceImport', group: mcs, plural: 'serviceimports', short: ['svcim'] },
  { kind: 'HealthCheckPolicy', group: 'isthmus.dev', plural: 'healthcheckpolicies', short: [] },
  { kind: 'Migration', group: 'isthmus.dev', plural: 'migrations', short: ['mig'] },
  { kind: 'AttestationPolicy', group: 'isthmus.dev', plural: 'attestationpolicies', short: ['attest'] },
];

/** `VirtualService`, `vs`, `gateways.networking.istio.io`: every kind it may be; empty: none. */
export function findKinds(text: string): readonly KindName[] {
  const [name = '', ...rest] = text.toLowerCase().split('.');
  const group = rest.join('.');
  return appliableKinds.filter(
    (k) => (group === '' || k.group === group) && (k.kind.toLowerCase() === name || k.plural === name || k.short.includes(name)),
  );
}
