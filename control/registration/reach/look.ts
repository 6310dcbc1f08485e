import type { Svid, TrustBundle } from '../../../core/identity/index.ts';
import { clusterSan, formatSpiffeId, meshHost, sniName } from '../../../core/model/index.ts';
import { placeOf, type RegisteredService, type RegisteredWorkload } from '../../../registries/vm/index.ts';
import type { Look } from './judge-look.ts';
import { type Proof, proveIdentity } from './prove-identity.ts';

/** What connecting back needs to know of the control plane that does it. */
export interface LookSurroundings {
  readonly cluster: string;
  /** Of the control plane: what is registered there is dialled as it is. */
  readonly network: string;
  readonly hostSuffix: string;
  /** Undefined before this cluster can sign. */
  readonly svid: () => Svid | undefined;
  readonly bundle: () => TrustBundle;
  /** Gateways of this cluster on a network: the way to what is registered there. */
  readonly gatewaysOf: (network: string) => readonly { readonly address: string; readonly port: number }[];
  /** The grant that an SVID goes back to; undefined for a foreign or revoked one. */
  readonly grantOf: (serial: string) => Promise<string | undefined>;
  /** Unix ms. */
  readonly now: () => number;
  readonly timeoutMs: number;
}

/** A gateway chooses among the instances of a service: so often it is asked again before nothing is said. */
const triesThroughGateways = 3;

/**
 * Whether the identity that registered answers where it says, by a handshake as its callers make it. Undefined: there is nothing to look for
 * now, as it serves nothing or its app is down. Dials the registered address alone, or the gateways of its network.
 */
export async function lookAt(workload: RegisteredWorkload, around: LookSurroundings, signal: AbortSignal): Promise<Look | undefined> {
  const service = lookedFor(workload.services);
  if (service === undefined || workload.draining) return undefined;
  const place = placeOf(workload);
  const [address = ''] = workload.addresses;
  const svid = around.svid();
  if (svid === undefined) return { state: 'unknown', reason: 'this control plane has no identity yet', place };
  const ask = (host: string, port: number) => proveIdentity(proofOf(workload, service, host, port, svid, around, signal));
  if (workload.network === around.network) {
    return { ...(await verdictOf(await ask(address, workload.inboundPort), workload, around)), place };
  }
  const gateways = around.gatewaysOf(workload.network);
  if (gateways.length === 0) {
    const reason = `network ${workload.network} is not this control plane's (${around.network}), and has no gateway here`;
    return { state: 'unknown', reason, place };
  }
  let reason = '';
  for (let attempt = 0; attempt < triesThroughGateways; attempt++) {
    const gateway = gateways[attempt % gateways.length];
    if (gateway === undefined) break;
    const verdict = await verdictOf(await ask(gateway.address, gateway.port), workload, around);
    if (verdict.state === 'proven') return { ...verdict, reason: `${verdict.reason}, through gateway ${gateway.address}`, place };
    reason = verdict.state === 'other' ? 'the gateway led to another instance' : verdict.reason;
  }
  // What failed may be the gateway, or its choice: that is not the workload's.
  return { state: 'unknown', reason: `through the gateways of ${workload.network}: ${reason}`, place };
}

async function verdictOf(proof: Proof, workload: RegisteredWorkload, around: LookSurroundings): Promise<Pick<Look, 'state' | 'reason'>> {
  if (!proof.ok) return { state: proof.kind, reason: proof.reason };
  const grant = await around.grantOf(proof.serial);
  if (grant === workload.grant) return { state: 'proven', reason: 'its identity answers there' };
  return { state: 'other', reason: 'another instance of the same identity answers there' };
}

function proofOf(
  workload: RegisteredWorkload,
  service: RegisteredService,
  address: string,
  port: number,
  svid: Svid,
  around: LookSurroundings,
  signal: AbortSignal,
) {
  const { trustDomain } = svid.spiffeId;
  const { namespace, serviceAccount } = workload;
  const { cluster, bundle, timeoutMs, now, hostSuffix } = around;
  return {
    address,
    port,
    sni: sniName({ port: service.port, subset: '', host: meshHost(service, hostSuffix) }),
    uriSan: formatSpiffeId({ trustDomain, namespace, serviceAccount }),
    clusterSan: clusterSan(cluster, trustDomain),
    svid,
    bundle: bundle(),
    timeoutMs,
    now,
    signal,
  };
}

/** An agent finishes no handshake for a byte stream whose app is down. */
function lookedFor(services: readonly RegisteredService[]): RegisteredService | undefined {
  const http = services.find(({ protocol }) => protocol === 'http' || protocol === 'http2' || protocol === 'grpc');
  return http ?? services.find(({ healthy }) => healthy === true);
}
