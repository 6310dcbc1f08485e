import type { AuthzAttribute, AuthzCondition, AuthzRule, MtlsMode } from '../../core/authz/index.ts';
import { native } from '../../core/xds/index.ts';
import type { AuthzState } from './types.ts';

/** From the wire's message, already checked. What this version does not know of a condition may hold or not. Pure. */
export function authzOf(message: native.Authz): AuthzState {
  const { name, rules, guardedRules, conditionalRules, auditRules, tokens, mtls } = message;
  const all = [...rules, ...guardedRules, ...conditionalRules, ...auditRules].map(ruleOf);
  const modes = mtls?.ports.map(({ port, mode }) => ({ port, mode: modeOf(mode) })) ?? [];
  return { name, rules: all, ...(tokens.length === 0 ? {} : { tokens }), ...(modes.length === 0 ? {} : { mtls: modes }) };
}

/** What this version does not know takes nobody in the clear. */
function modeOf(mode: native.PortMtls_Mode): MtlsMode {
  if (mode === native.PortMtls_Mode.PERMISSIVE) return 'permissive';
  return mode === native.PortMtls_Mode.DISABLE ? 'disable' : 'strict';
}

function ruleOf({ action, condition, ...rule }: native.AuthzRule): AuthzRule {
  const when = condition === undefined ? {} : { when: conditionOf(condition) };
  return { ...rule, action: actionOf(action), ...when };
}

function actionOf(action: native.AuthzRule_Action): AuthzRule['action'] {
  if (action === native.AuthzRule_Action.AUDIT) return 'audit';
  return action === native.AuthzRule_Action.DENY ? 'deny' : 'allow';
}

function conditionOf({ kind }: native.AuthzCondition): AuthzCondition {
  switch (kind?.$case) {
    case 'all':
    case 'any':
      return { kind: kind.$case, of: kind.value.of.map(conditionOf) };
    case 'not':
      return { kind: 'not', of: conditionOf(kind.value) };
    case 'test': {
      const { attribute, names, patterns } = kind.value;
      const known = attributeOf(attribute);
      return known === undefined ? { kind: 'unknown' } : { kind: 'test', attribute: known, names, patterns };
    }
    case undefined:
      return { kind: 'unknown' };
  }
}

function attributeOf(attribute: native.AuthzTest_Attribute): AuthzAttribute | undefined {
  const { AuthzTest_Attribute: all } = native;
  switch (attribute) {
    case all.PRINCIPAL:
      return 'principal';
    case all.NAMESPACE:
      return 'namespace';
    case all.CLUSTER:
      return 'cluster';
    case all.SERVICE_ACCOUNT:
      return 'service-account';
    case all.TRUST_DOMAIN:
      return 'trust-domain';
    case all.SOURCE_IP:
      return 'source-ip';
    case all.DESTINATION_IP:
      return 'destination-ip';
    case all.PORT:
      return 'port';
    case all.SNI:
      return 'sni';
    case all.METHOD:
      return 'method';
    case all.PATH:
      return 'path';
    case all.HOST:
      return 'host';
    case all.HEADER:
      return 'header';
    case all.REQUEST_PRINCIPAL:
      return 'request-principal';
    case all.CLAIM:
      return 'claim';
    default:
      return undefined;
  }
}
