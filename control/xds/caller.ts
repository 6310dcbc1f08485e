import { formatSpiffeId, gatewayServiceAccount, type SpiffeId, systemNamespace } from '../../core/model/index.ts';
import { accept, type Checked, formatViolation, reject } from '../../core/validate.ts';
import { type ClientClass, type core, type NodeFacts, parseNode } from '../../core/xds/index.ts';

/** Who is at the other end of a call, as its certificate proves: URI SAN and DNS SAN. */
export interface Caller {
  readonly spiffeId: SpiffeId;
  readonly cluster: string;
}

/** A connected client: what is proven, and what of its own claims was let through. */
export interface ClientFacts extends NodeFacts {
  /** SPIFFE-ID#INSTANCE */
  readonly id: string;
  readonly cluster: string;
}

/** Holds a client's claims against its certificate. What it may say freely: instance, network, locality, labels, version. */
export function identifyClient(caller: Caller, node: core.Node | undefined, ownCluster: string): Checked<ClientFacts> {
  const refuse = (message: string) => reject<ClientFacts>([{ path: 'node', message }]);
  if (node === undefined) return refuse('the first request of a stream must hold the node');
  const facts = parseNode(node);
  if (!facts.ok) return refuse(facts.violations.map(formatViolation).join('; '));
  const proven = formatSpiffeId(caller.spiffeId);
  if (formatSpiffeId(facts.value.identity) !== proven)
    return refuse(`the certificate is of ${proven}, the node id claims another identity`);
  if (caller.cluster !== ownCluster) return refuse(`the certificate is of cluster ${caller.cluster}; this is ${ownCluster}`);
  const isGateway = caller.spiffeId.namespace === systemNamespace && caller.spiffeId.serviceAccount === gatewayServiceAccount;
  if (facts.value.kind === 'gateway' && !isGateway) return refuse(`${proven} is not a gateway's identity`);
  return accept({ ...facts.value, id: node.id, cluster: caller.cluster });
}

export function clientClass(facts: ClientFacts): ClientClass {
  const { dialect, kind, identity, cluster, network, locality, labels, claims } = facts;
  return { dialect, kind, identity, cluster, network, locality, labels, claims };
}
