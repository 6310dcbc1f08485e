/** What bootstrap, resources and the agent's own server agree on. */

/** xDS cluster of the control plane, in the bootstrap. */
export const controlClusterName = 'isthmus-control';
/** xDS cluster of the agent's socket, in the bootstrap. */
export const agentClusterName = 'isthmus-agent';
/** Secret of this node's own chain and key; from the agent's socket alone. */
export const svidSecretName = 'svid';
/** Secret of what the control plane's certificate must chain to; from the agent's socket. */
export const controlBundleSecretName = 'control-bundle';
/** Secret of the mesh's roots, over ADS: for who takes connections and learns from the certificate which cluster calls. */
export const bundleSecretName = 'bundle';
/** One mesh cluster's intermediates alone, over ADS, for who connects to its endpoints: Envoy's upstream SAN matchers are any-of. */
export function clusterBundleSecretName(cluster: string): string {
  return `${bundleSecretName}|${cluster}`;
}
/** The authorities of another trust domain, over ADS, for who connects to servers of it. No cluster's name has a slash. */
export function federatedBundleSecretName(trustDomain: string): string {
  return `${bundleSecretName}|spiffe://${trustDomain}`;
}
/** Listener and xDS cluster of a gateway, in memory, between the end of mTLS and plain TCP endpoints. */
export const internalHopName = 'authorized';
/** The one listener of an east-west gateway. */
export const gatewayListenerName = 'east-west';

/** Of connections that a packet filter led to Envoy, as Istio names them: those that go on to where they were to go, and those that lead nowhere. */
export const passthroughClusterName = 'PassthroughCluster';
/** No xDS cluster has it: connections are closed. */
export const blackHoleClusterName = 'BlackHoleCluster';
