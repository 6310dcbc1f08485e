import { MeshError } from '../../core/errors.ts';
import type { Protocol } from '../../core/model/index.ts';
import type { StoredEntry } from '../../core/store.ts';
import type { Reach } from './reach.ts';

/** What agents and gateways have registered, as the store keeps it. control/registration writes it, this registry reads it. */
export type RegisteredInstance = RegisteredWorkload | RegisteredGatewayRecord;

interface Common {
  readonly instance: string;
  /** Proven: the SVID that registered it. */
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The grant that the SVID goes back to: what is revoked with it. */
  readonly grant: string;
  /** One more at each start of the agent; a lower one never writes again. */
  readonly generation: number;
  /** Random, of one start: another one that says the same generation is of a copy. Absent: its agent says none. */
  readonly start?: string;
  /** The replica of the control plane that hears it. */
  readonly replica: string;
  readonly network: string;
  readonly labels: Readonly<Record<string, string>>;
  /** region/zone/subzone */
  readonly locality: string;
  readonly version: string;
  /** Unix ms, of the first registration. */
  readonly registeredAt: number;
  readonly draining: boolean;
  /** Silent for longer than the TTL: unhealthy until it speaks again. */
  readonly expired: boolean;
  /** Two machines presented it by turns, when last (Unix ms) and from where. */
  readonly clone?: { readonly at: number; readonly sources: readonly string[] };
}

export interface RegisteredWorkload extends Common {
  readonly role: 'workload';
  /** IPs; the first is where other workloads reach it. */
  readonly addresses: readonly string[];
  /** Where its agent takes mTLS for all its services. */
  readonly inboundPort: number;
  readonly services: readonly RegisteredService[];
  /** Nobody can dial it. */
  readonly tunnel?: RegisteredTunnel;
  /** NAMESPACE/NAME of its WorkloadGroup, by the token that it joined with. What that says is not in here: it may change. */
  readonly group?: string;
  /** The IP that its stream comes from. Absent: a version wrote it that took only that one, or what a token's author vouched for. */
  readonly seenFrom?: string;
  /** Absent until the control plane has connected back. */
  readonly reach?: Reach;
}

export interface RegisteredTunnel {
  /** Lower-case hex. */
  readonly secretSha256: string;
  /** CLUSTER/INSTANCE of gateways that it has tunnels to, as it last reported; sorted. */
  readonly gateways: readonly string[];
}

export interface RegisteredService {
  readonly namespace: string;
  readonly name: string;
  /** The service port, its name and protocol. */
  readonly port: number;
  readonly portName: string;
  readonly protocol: Protocol;
  /** Undefined until its agent has checked. */
  readonly healthy?: boolean;
  /** For people. */
  readonly reason?: string;
  /** Where its agent takes callers without mesh, too. Absent: nowhere. */
  readonly expose?: { readonly address: string; readonly port: number };
}

export interface RegisteredGatewayRecord extends Common {
  readonly role: 'gateway';
  /** As advertised: IPs or hostnames. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Hostname → IPs, when last resolved. */
  readonly resolved: Readonly<Record<string, readonly string[]>>;
  /** It takes tunnels. Default false. */
  readonly holdsTunnels?: boolean;
  /** What moves its bytes, by its own word. Absent: its version says nothing of it. */
  readonly engine?: string;
  /** Nobody can dial it. */
  readonly tunnel?: RegisteredTunnel;
}

export const workloadsPrefix = 'registrations/workloads/';
export const gatewaysPrefix = 'registrations/gateways/';

/** Fencing is by (identity, instance). */
export function instanceKey(
  record: Pick<Common, 'namespace' | 'serviceAccount' | 'instance'> & { readonly role: 'workload' | 'gateway' },
): string {
  const prefix = record.role === 'gateway' ? gatewaysPrefix : workloadsPrefix;
  return `${prefix}${record.namespace}/${record.serviceAccount}/${record.instance}`;
}

/** Of its endpoints: unique within the source, and readable, as no part may hold a tilde. */
export function instanceIdOf({ namespace, serviceAccount, instance }: Pick<Common, 'namespace' | 'serviceAccount' | 'instance'>): string {
  return `${namespace}~${serviceAccount}~${instance}`;
}

export function encodeInstance(record: RegisteredInstance): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

/** Throws MeshError INTERNAL for what no version of Isthmus wrote. */
export function decodeInstance(entry: StoredEntry): RegisteredInstance {
  try {
    return JSON.parse(Buffer.from(entry.value).toString('utf8')) as RegisteredInstance;
  } catch (error) {
    throw new MeshError('INTERNAL', `store key ${entry.key} holds no registration: restore it from a backup`, { cause: error });
  }
}
