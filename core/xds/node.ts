import { formatSpiffeId, isDnsLabel, parseLocality, parseSpiffeId, type SpiffeId } from '../model/index.ts';
import { accept, type Checked, reject, type Violation } from '../validate.ts';
import { type NodeClaims, noClaims, parseClaims } from './claims.ts';
import { Node } from './gen/envoy/config/core/v3/base.ts';
import { type Labels, labelsSchema, sayableLabels } from './node-labels.ts';

/** Which types a client is served: our own proxies', Envoy's, or those that proxyless gRPC understands. */
export type DialectName = 'native' | 'envoy' | 'grpc';
/** `ingress`: a caller of services, like an agent, that serves people from outside the mesh. */
export type ClientKind = 'agent' | 'gateway' | 'ingress';

/** What a client of the control plane says of itself. */
export interface NodeFacts {
  readonly dialect: DialectName;
  readonly kind: ClientKind;
  readonly identity: SpiffeId;
  /** Tells processes of one identity apart; persisted by the agent. Letters, digits, `.`, `_`, `-`, at most 128. */
  readonly instance: string;
  readonly network: string;
  /** region/zone/subzone; may be empty. */
  readonly locality: string;
  readonly version: string;
  /** What moves the bytes of our own proxy; absent: it carries none, or does not say. */
  readonly engine?: string;
  /** Of the workload, as it says itself; at most 64, of Kubernetes' form. */
  readonly labels: Labels;
  readonly claims: NodeClaims;
}

const instanceForm = /^[A-Za-z0-9._-]{1,128}$/;

/** The xDS node of a native client; its id is `SPIFFE-ID#INSTANCE`. Labels that no node may have are left out. */
export function buildNode(facts: Omit<NodeFacts, 'dialect' | 'claims'>): Node {
  const { region, zone, subzone } = parseLocality(facts.locality);
  return Node.create({
    id: `${formatSpiffeId(facts.identity)}#${facts.instance}`,
    metadata: {
      kind: facts.kind,
      network: facts.network,
      ...(facts.engine === undefined ? {} : { engine: facts.engine }),
      ...labelsOf(facts.labels),
    },
    locality: { region, zone, subZone: subzone },
    userAgentName: 'isthmus',
    userAgentVersionType: { $case: 'userAgentVersion', value: facts.version },
  });
}

/** What is said of labels in `node.metadata`, of any client. */
export function labelsOf(labels: Labels): { readonly labels?: Labels } {
  const said = sayableLabels(labels);
  return Object.keys(said).length === 0 ? {} : { labels: said };
}

/** The claim alone: whoever takes it must compare the identity with the one that the certificate proves. */
export function parseNode(node: Node): Checked<NodeFacts> {
  const violations: Violation[] = [];
  const hash = node.id.lastIndexOf('#');
  const identity = parseSpiffeId(node.id.slice(0, Math.max(0, hash)));
  const instance = node.id.slice(hash + 1);
  if (identity === undefined) violations.push({ path: 'node.id', message: 'must be SPIFFE-ID#INSTANCE' });
  if (!instanceForm.test(instance))
    violations.push({ path: 'node.id', message: 'the instance has letters, digits and .-_ only, at most 128' });
  const kind: unknown = node.metadata?.['kind'];
  if (kind !== 'agent' && kind !== 'gateway' && kind !== 'ingress')
    violations.push({ path: 'node.metadata.kind', message: 'must be agent, gateway or ingress' });
  const dialect: unknown = node.metadata?.['dialect'] ?? 'native';
  if (dialect !== 'native' && dialect !== 'envoy' && dialect !== 'grpc')
    violations.push({ path: 'node.metadata.dialect', message: 'must be native, envoy or grpc' });
  const network: unknown = node.metadata?.['network'];
  if (typeof network !== 'string' || !isDnsLabel(network))
    violations.push({ path: 'node.metadata.network', message: 'must be a DNS label' });
  const engine: unknown = node.metadata?.['engine'];
  if (engine !== undefined && (typeof engine !== 'string' || !isDnsLabel(engine)))
    violations.push({ path: 'node.metadata.engine', message: 'must be a DNS label' });
  const claims = dialect === 'native' ? accept(noClaims) : parseClaims(node.metadata);
  if (!claims.ok) violations.push(...claims.violations);
  const labels = labelsSchema.safeParse(node.metadata?.['labels']);
  for (const { path, message } of labels.error?.issues ?? [])
    violations.push({ path: ['node.metadata.labels', ...path.map(String)].join('.'), message });
  if (violations.length > 0 || identity === undefined || !claims.ok || !labels.success) return reject(violations);
  const { region = '', zone = '', subZone = '' } = node.locality ?? {};
  const version = node.userAgentVersionType?.$case === 'userAgentVersion' ? node.userAgentVersionType.value : '';
  return accept({
    dialect: dialect as DialectName,
    kind: kind as ClientKind,
    identity,
    instance,
    network: network as string,
    locality: [region, zone, subZone].join('/').replace(/\/+$/, ''),
    version: version.slice(0, 64),
    ...(engine === undefined ? {} : { engine: engine as string }),
    labels: labels.data,
    claims: claims.value,
  });
}
