/** Kinds that users of Istio and of the Gateway API have and that are not here: refused with what to use instead. Rows, so that a message and the docs say the same. */
export interface RefusedKind {
  readonly group: string;
  readonly kind: string;
  readonly why: string;
}

export const refusedKinds: readonly RefusedKind[] = [
  {
    group: 'networking.istio.io',
    kind: 'EnvoyFilter',
    why: "patches of Envoy's configuration mean nothing to the other proxies here: say it with VirtualService, DestinationRule or HealthCheckPolicy",
  },
  { group: 'networking.istio.io', kind: 'ProxyConfig', why: 'proxies are configured where they run, in their own file' },
  { group: 'extensions.istio.io', kind: 'WasmPlugin', why: 'extensions in WebAssembly run in Envoy alone, not in the other proxies here' },
  {
    group: 'extensions.istio.io',
    kind: 'TrafficExtension',
    why: 'extensions in Lua or WebAssembly run in Envoy alone, not in the other proxies here',
  },
  { group: 'install.istio.io', kind: 'IstioOperator', why: 'Isthmus is installed without Istio: see docs/install.md' },
  {
    group: 'gateway.networking.k8s.io',
    kind: 'GatewayClass',
    why: 'the class isthmus is there by itself, without parameters: name it in gatewayClassName; other classes belong to other controllers',
  },
  { group: 'gateway.networking.k8s.io', kind: 'ListenerSet', why: 'write the listeners into the Gateway' },
  { group: 'gateway.networking.k8s.io', kind: 'UDPRoute', why: 'proxies here carry TCP' },
  {
    group: 'gateway.networking.k8s.io',
    kind: 'BackendTLSPolicy',
    why: 'to services of the mesh there is its own mTLS; for others write tls in a DestinationRule',
  },
];
