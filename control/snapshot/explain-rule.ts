import type { ExplainedRequest, ExplainStep, Explanation } from '../../core/admin/index.ts';
import { type AuthzAttribute, type AuthzFacts, looksAt, normalizePath, type RequestFacts } from '../../core/authz/index.ts';
import { meshHost, type ServicePort, sniName } from '../../core/model/index.ts';
import type { MergedService } from '../catalog/index.ts';
import { type Caller, explainDecision, type ServiceAuthz } from '../policy/index.ts';
import { callsInTheClear, compileAuthz } from './build-service.ts';
import type { SnapshotInputs } from './inputs.ts';

export interface RuleQuestion {
  readonly service: MergedService;
  readonly port: ServicePort;
  readonly who: Caller;
  /** Nobody ends mTLS there. */
  readonly plaintext: boolean;
  readonly request: ExplainedRequest | undefined;
}

type Say = (stage: string, outcome: ExplainStep['outcome'], text: string, details?: readonly string[]) => void;

/** The last step of an explanation: what the end of mTLS says. */
export function sayRule(inputs: SnapshotInputs, question: RuleQuestion, say: Say): Explanation['verdict'] {
  const { service, who, plaintext, request } = question;
  const authz = compileAuthz(service, inputs);
  // Where mTLS is disabled the agent judges whoever comes, and nobody has an identity.
  const exposed = plaintext && callsInTheClear(service, question.port, inputs);
  if (plaintext && !exposed) {
    const { selectedBy } = authz;
    const idle = [...(selectedBy?.deny ?? []), ...(selectedBy?.allow ?? [])].map((name) => `AuthorizationPolicy ${name} is not enforced`);
    say('rule', 'warning', 'plaintext inside one network: no identity, so no rule is enforced', ['the endpoint has no sidecar', ...idle]);
    return 'allowed';
  }
  if (inputs.view.local.get(service.key) === undefined) {
    say('rule', 'ok', 'decided by the cluster that exports it', ['it exports the service to this cluster, so this cluster may call it']);
    return 'allowed';
  }
  const stranger = request?.claims === undefined ? undefined : strangerOf(authz, request.claims);
  if (stranger !== undefined) {
    say('rule', 'failed', stranger, ['a request without a token goes on, and has no request principal']);
    return 'denied';
  }
  const nobody = { principal: '', namespace: '', cluster: '' };
  const facts = factsOf(authz, exposed ? { ...question, who: nobody } : question, inputs.hostSuffix);
  if (facts === undefined) {
    say('rule', 'failed', 'no such path is served: its form is answered 400 before any rule is asked');
    return 'denied';
  }
  const decision = explainDecision(authz, facts.request === undefined && !exposed ? { ...facts, ...who } : facts);
  const elsewhere = [...new Set(service.endpoints.map((e) => e.cluster))].filter((c) => c !== inputs.view.cluster).sort();
  const details = [...decision.details, ...elsewhere.map((c) => `its endpoints of ${c} are guarded by ${c}, by policies not known here`)];
  say('rule', !decision.allowed ? 'failed' : decision.depends === true ? 'warning' : 'ok', decision.text, details);
  return decision.allowed ? 'allowed' : 'denied';
}

/** A token of an issuer that nobody named is answered 401, where tokens are looked at at all. */
function strangerOf({ tokens = [] }: ServiceAuthz, { iss }: Readonly<Record<string, unknown>>): string | undefined {
  if (tokens.length === 0 || tokens.some((rule) => rule.issuer === iss)) return undefined;
  return `its token is answered 401: ${JSON.stringify(iss ?? '')} is none of the issuers ${tokens.map((rule) => rule.issuer).join(', ')}`;
}

const sourceIp: ReadonlySet<AuthzAttribute> = new Set<AuthzAttribute>(['source-ip']);
const path: ReadonlySet<AuthzAttribute> = new Set<AuthzAttribute>(['path']);

/** Undefined: its path has no normal form. */
function factsOf(authz: ServiceAuthz, { service, port, who, request }: RuleQuestion, suffix: string): AuthzFacts | undefined {
  const sni = sniName({ port: port.port, subset: '', host: meshHost(service, suffix) });
  const source = request?.sourceIp;
  const destinationAddress = service.endpoints[0]?.address ?? '';
  const unknown = source === undefined && looksAt(authz.rules, sourceIp);
  const connection = unknown ? {} : { connection: { sourceAddress: source ?? '', destinationAddress, port: port.port, sni } };
  if (port.protocol === 'tcp' || port.protocol === 'tls') return { ...who, ...connection, request: 'none' };
  if (request === undefined) return { ...who, ...connection };
  const asked = requestFacts(authz, request, meshHost(service, suffix), tokensKnown(authz) ? request.claims : undefined);
  return asked === undefined ? undefined : { ...who, ...connection, request: asked };
}

/** Nobody looks at tokens where nobody verifies them. */
function tokensKnown({ tokens = [] }: ServiceAuthz): boolean {
  return tokens.length > 0;
}

function requestFacts(
  authz: ServiceAuthz,
  { method = 'GET', path: target = '/', host, headers = {} }: ExplainedRequest,
  serviceHost: string,
  claims: ExplainedRequest['claims'],
): RequestFacts | undefined {
  const normal = looksAt(authz.rules, path) ? normalizePath(target) : target;
  if (normal === undefined) return undefined;
  return {
    method,
    path: normal.split('?', 1)[0] ?? '',
    authority: host ?? serviceHost,
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
    ...(claims === undefined ? {} : { claims }),
  };
}
