import type { NetworkId, SourceId } from './ids.ts';

export type Protocol = 'tcp' | 'http' | 'http2' | 'grpc' | 'tls';
export type Runtime = 'kubernetes' | 'consul' | 'nomad' | 'eureka' | 'vm' | 'file';
/** `draining`: finishes what it has, gets nothing new. `unknown` counts as unhealthy once any endpoint is known healthy. */
export type Health = 'healthy' | 'unhealthy' | 'draining' | 'unknown';
/** `mesh`: the endpoint terminates mTLS with its workload's SVID. `none`: plaintext; across networks the gateway terminates. */
export type TlsMode = 'mesh' | 'none';

export interface ServicePort {
  /** Unique within the service; the key of EndpointRecord.ports. */
  readonly name: string;
  /** What callers dial, 1-65535. */
  readonly port: number;
  readonly protocol: Protocol;
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

/** One place where a service answers, as one source knows it. Immutable. */
export interface EndpointRecord {
  /** Unique within (cluster, source). */
  readonly instance: string;
  readonly network: NetworkId;
  /** IP address. */
  readonly address: string;
  /** Service port name → port at `address`. */
  readonly ports: Readonly<Record<string, number>>;
  readonly health: Health;
  /** ≥ 0, relative; 1 unless the registry says otherwise; 0 takes no new connections. */
  readonly weight: number;
  readonly locality: Locality;
  readonly labels: Readonly<Record<string, string>>;
  /** The workload's identity is spiffe://TD/ns/identityNamespace/sa/serviceAccount; meaningful where tlsMode is mesh. */
  readonly identityNamespace: string;
  readonly serviceAccount: string;
  readonly tlsMode: TlsMode;
  readonly runtime: Runtime;
  /** Proven by an attestor: wins over a record of the same (network, address, port) that only says so. */
  readonly attested: boolean;
  /** Nobody can dial it, and `address` only tells it from others. Absent: it is reached by its address. */
  readonly tunnel?: EndpointTunnel | undefined;
  /** Service port name → where its agent takes callers without mesh as well, as its PeerAuthentication says. Absent: nowhere. */
  readonly plain?: Readonly<Record<string, PlainDoor>> | undefined;
  /** Of a peer's: its other sources that have a record of the same place. Absent: none, or not told. */
  readonly otherSources?: readonly SourceId[];
}

/** A listener for callers in the clear, which takes mTLS too unless that is disabled. */
export interface PlainDoor {
  /** IP address, of the endpoint's network. */
  readonly address: string;
  readonly port: number;
}

/** An endpoint that keeps tunnels to gateways, and is reached through them alone. */
export interface EndpointTunnel {
  /** Instances of gateways of its cluster that it has one to, by its own word; sorted. */
  readonly gateways: readonly string[];
  /** Of what it says when it begins one; lower-case hex. Empty of a peer's: its gateways alone need it. */
  readonly secretSha256: string;
}

/** One service as one source knows it, already named by its Registry's rules. Immutable. */
export interface ServiceRecord {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly ServicePort[];
  readonly endpoints: readonly EndpointRecord[];
  readonly labels: Readonly<Record<string, string>>;
  /** Unix ms, stamped by the registry where it has one, else when first seen. The oldest wins a port conflict. */
  readonly createdAt: number;
}

export const noLocality: Locality = { region: '', zone: '', subzone: '' };

export function formatLocality(l: Locality): string {
  return [l.region, l.zone, l.subzone].join('/').replace(/\/+$/, '');
}

export function parseLocality(text: string): Locality {
  const [region = '', zone = '', subzone = ''] = text.split('/');
  return { region, zone, subzone };
}
