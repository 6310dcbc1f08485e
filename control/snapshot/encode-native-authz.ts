import type { AuthzAttribute, AuthzCondition, AuthzRule, TokenRule } from '../../core/authz/index.ts';
import { native } from '../../core/xds/index.ts';
import type { AuthzIr } from './ir.ts';

/** An allow rule with more conditions goes where a reader that does not know them sees no rule. Pure. */
export function authzMessage(name: string, { rules, tokens, mtls }: AuthzIr): native.Authz {
  const deciding = rules.filter((r) => r.action !== 'audit');
  const listOf = ({ action, also, when }: AuthzRule) =>
    action === 'deny' || (when === undefined && (also === undefined || also.length === 0))
      ? 'plain'
      : when === undefined
        ? 'guarded'
        : 'conditional';
  const listed = (list: ReturnType<typeof listOf>) => deciding.filter((r) => listOf(r) === list).map(rule);
  return {
    name,
    rules: listed('plain'),
    guardedRules: listed('guarded'),
    conditionalRules: listed('conditional'),
    auditRules: rules.filter((r) => r.action === 'audit').map(rule),
    tokens: (tokens ?? []).map(token),
    mtls: mtls === undefined ? undefined : { ports: mtls.map(({ port, mode }) => ({ port, mode: modes[mode] })) },
  };
}

const modes = {
  strict: native.PortMtls_Mode.STRICT,
  permissive: native.PortMtls_Mode.PERMISSIVE,
  disable: native.PortMtls_Mode.DISABLE,
};

const actions = { allow: native.AuthzRule_Action.ALLOW, deny: native.AuthzRule_Action.DENY, audit: native.AuthzRule_Action.AUDIT };

function rule(r: AuthzRule): native.AuthzRule {
  const also = (r.also ?? []).map((match) => ({
    principals: [...match.principals],
    namespaces: [...match.namespaces],
    clusters: [...match.clusters],
    notPrincipals: [...match.notPrincipals],
    notNamespaces: [...match.notNamespaces],
  }));
  return {
    action: actions[r.action],
    name: r.name,
    principals: [...r.principals],
    namespaces: [...r.namespaces],
    clusters: [...r.clusters],
    also,
    condition: r.when === undefined ? undefined : condition(r.when),
  };
}

function condition(of: AuthzCondition): native.AuthzCondition {
  switch (of.kind) {
    case 'all':
    case 'any':
      return { kind: { $case: of.kind, value: { of: of.of.map(condition) } } };
    case 'not':
      return { kind: { $case: 'not', value: condition(of.of) } };
    case 'test':
      return {
        kind: { $case: 'test', value: { attribute: attributes[of.attribute], names: [...of.names], patterns: [...of.patterns] } },
      };
    case 'unknown':
      return { kind: undefined };
  }
}

const { AuthzTest_Attribute: known } = native;

const attributes: Readonly<Record<AuthzAttribute, native.AuthzTest_Attribute>> = {
  principal: known.PRINCIPAL,
  namespace: known.NAMESPACE,
  cluster: known.CLUSTER,
  'service-account': known.SERVICE_ACCOUNT,
  'trust-domain': known.TRUST_DOMAIN,
  'source-ip': known.SOURCE_IP,
  'destination-ip': known.DESTINATION_IP,
  port: known.PORT,
  sni: known.SNI,
  method: known.METHOD,
  path: known.PATH,
  host: known.HOST,
  header: known.HEADER,
  'request-principal': known.REQUEST_PRINCIPAL,
  claim: known.CLAIM,
};

function token(t: TokenRule): native.TokenRule {
  return {
    issuer: t.issuer,
    audiences: [...t.audiences],
    jwks: t.jwks,
    fromHeaders: t.fromHeaders.map((each) => ({ ...each })),
    fromParams: [...t.fromParams],
    fromCookies: [...t.fromCookies],
    forwardOriginal: t.forwardOriginal,
    outputPayloadHeader: t.outputPayloadHeader,
    outputClaims: t.outputClaims.map((each) => ({ ...each })),
    spaceDelimitedClaims: [...t.spaceDelimitedClaims],
  };
}
