/** What bootstrap, resources and the files of the agent agree on: gRPC's certificate provider instances. */

/** This workload's chain and key. */
export const identityInstance = 'identity';
/** All anchors of the bootstrap together, for callers of any of those clusters. */
export const anchorsInstance = 'anchors';
/** The anchor of one mesh cluster alone. */
export const anchorInstance = (cluster: string) => `anchor-${cluster}`;

const listening = 'grpc/server?xds.resource.listening_address=';
/** For the bootstrap; %s is what the server binds, IP:PORT. */
export const serverListenerTemplate = `${listening}%s`;

/** Name of the Listener of a server that binds this address. */
export function serverListenerName(address: string, port: number): string {
  return `${listening}${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** In the agent's folder of certificates. */
export const certificateFiles = {
  /** Chain and key in one, so that who reads both reads those that belong together. */
  identity: 'identity.pem',
  /** The same apart, for programs that want it so. */
  chain: 'cert.pem',
  key: 'key.pem',
  roots: 'roots.pem',
  anchor: (cluster: string) => `anchor-${cluster}.pem`,
  /** Several anchors in one file. Its name says which, so that whoever keeps the folder knows what to write. */
  anchors: (clusters: readonly string[]) => `anchors.${[...clusters].sort().join('+')}.pem`,
} as const;

/** The mesh clusters of a file of several anchors; undefined for other names. */
export function anchorsOfFile(name: string): readonly string[] | undefined {
  return /^anchors\.([a-z0-9+-]+)\.pem$/.exec(name)?.[1]?.split('+');
}
