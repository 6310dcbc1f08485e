import { type ClaimsDocument, type ClaimsExpression, expressionIn, parseClaimsExpression } from '../../../../core/cel/index.ts';
import type { AttestationGrant, AttestationPolicySpec } from '../../../../core/config/index.ts';
import { MeshError } from '../../../../core/errors.ts';
import { controlServiceAccount, gatewayServiceAccount, ingressServiceAccount, systemNamespace } from '../../../../core/model/index.ts';
import { formatViolation } from '../../../../core/validate.ts';
import { claimFaults } from '../check-claims.ts';
import type { Claims, ServiceClaim } from '../contract.ts';

/** `faulty`: a rule matched, and what it grants cannot be; nothing after it is tried. */
export type RulesVerdict =
  | { readonly kind: 'granted'; readonly rule: string; readonly claims: Claims }
  | { readonly kind: 'faulty'; readonly rule: string; readonly fault: string }
  | { readonly kind: 'none' };

export interface CompiledRules {
  /** The first rule whose condition holds decides. Pure; never throws. */
  judge(claims: ClaimsDocument): RulesVerdict;
}

/** Of a policy that was parsed: what does not compile here is a mistake of this program. `namespace`: the policy's own. */
export function compileRules({ rules }: Pick<AttestationPolicySpec, 'rules'>, namespace: string): CompiledRules {
  const compiled = rules.map(({ name, when, grant }) => ({ name, when: expression(when), grant: compileGrant(grant, namespace) }));
  return {
    judge(claims) {
      const rule = compiled.find(({ when }) => {
        const held = when.evaluate(claims);
        return held.ok && held.value === true;
      });
      if (rule === undefined) return { kind: 'none' };
      try {
        const granted = rule.grant(claims);
        const fault = faultOf(granted, namespace);
        return fault === undefined ? { kind: 'granted', rule: rule.name, claims: granted } : { kind: 'faulty', rule: rule.name, fault };
      } catch (error) {
        if (error instanceof NoValue) return { kind: 'faulty', rule: rule.name, fault: error.message };
        throw error;
      }
    },
  };
}

class NoValue extends Error {}

function expression(text: string): ClaimsExpression {
  const parsed = parseClaimsExpression(text);
  if (parsed.ok) return parsed.value;
  throw new MeshError('CONFIG_INVALID', `${JSON.stringify(text.slice(0, 60))} ${parsed.violations[0]?.message ?? ''}`);
}

type Values = (claims: ClaimsDocument) => readonly unknown[];

/** A text as it stands, or what its expression comes to: one value, or each of a list. */
function values(said: string | number, path: string): Values {
  const inner = typeof said === 'string' ? expressionIn(said) : undefined;
  if (inner === undefined) return () => [said];
  const compiled = expression(inner);
  return (claims) => {
    const result = compiled.evaluate(claims);
    if (!result.ok) throw new NoValue(`${path}: ${result.fault}`);
    return Array.isArray(result.value) ? result.value : [result.value];
  };
}

function text(said: string, path: string): (claims: ClaimsDocument) => string {
  const all = values(said, path);
  return (claims) => {
    const [value, ...more] = all(claims);
    if (typeof value === 'string' && more.length === 0) return value;
    throw new NoValue(`${path}: the expression gives no text`);
  };
}

function compileGrant(grant: AttestationGrant, own: string): (claims: ClaimsDocument) => Claims {
  const addresses = grant.addresses.map((each, i) => values(each, `addresses[${i}]`));
  const addressesOf = (claims: ClaimsDocument) => addresses.flatMap((each) => each(claims)).map(String);
  if (grant.role !== 'workload') {
    const gateway = grant.role === 'gateway';
    const serviceAccount = gateway ? gatewayServiceAccount : ingressServiceAccount;
    // An ingress gateway registers nothing and answers for no service: to the mesh it is one that calls.
    const role = gateway ? 'gateway' : 'workload';
    return (claims) => ({ role, namespace: systemNamespace, serviceAccount, services: [], addresses: addressesOf(claims) });
  }
  const namespaceOf = text(grant.namespace ?? own, 'namespace');
  const accountOf = text(grant.serviceAccount ?? '', 'serviceAccount');
  const groupOf = grant.group === undefined ? undefined : text(grant.group, 'group');
  const services = grant.services.map((service, i) => compileService(service, `services[${i}]`));
  return (claims) => {
    const namespace = namespaceOf(claims);
    return {
      role: 'workload',
      namespace,
      serviceAccount: accountOf(claims),
      services: services.map((serviceOf) => serviceOf(claims, namespace)),
      addresses: addressesOf(claims),
      ...(groupOf === undefined ? {} : { group: groupOf(claims) }),
    };
  };
}

function compileService(
  { name, namespace, ports }: AttestationGrant['services'][number],
  path: string,
): (claims: ClaimsDocument, usual: string) => ServiceClaim {
  const nameOf = text(name, `${path}.name`);
  const namespaceOf = namespace === undefined ? undefined : text(namespace, `${path}.namespace`);
  const each = ports.map((port, i) => values(port, `${path}.ports[${i}]`));
  return (claims, usual) => ({
    namespace: namespaceOf?.(claims) ?? usual,
    name: nameOf(claims),
    ports: each.flatMap((port) => port(claims)).map(Number),
  });
}

const reserved: readonly string[] = [controlServiceAccount, gatewayServiceAccount];

/** Why this may not be granted by a policy of that namespace. */
function faultOf(claims: Claims, own: string): string | undefined {
  const [form] = claimFaults(claims);
  if (form !== undefined) return formatViolation(form);
  const { role, namespace, serviceAccount, services, group } = claims;
  if (role === 'workload' && namespace === systemNamespace && reserved.includes(serviceAccount))
    return `serviceAccount: ${serviceAccount} of ${systemNamespace} is no workload`;
  if (group !== undefined && group.split('/')[0] !== namespace) return `group: must be of namespace ${namespace}`;
  if (own === systemNamespace) return undefined;
  const foreign = [namespace, ...services.map((service) => service.namespace)].find((each) => each !== own);
  return foreign === undefined ? undefined : `namespace: ${foreign} is not the policy's own, ${own}`;
}
