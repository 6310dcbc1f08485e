import type { Violation } from '../validate.ts';
import type { Authz, AuthzCondition, AuthzMatch, AuthzRule, AuthzTest, TokenRule } from './gen/isthmus/native/v1/native.ts';
import { AuthzRule_Action, AuthzTest_Attribute } from './gen/isthmus/native/v1/native.ts';
import { collect, isCidr, isPort, type Report } from './report.ts';

export function checkAuthz(authz: Authz): readonly Violation[] {
  return collect((report) => {
    if (authz.name === '') report('name', 'must not be empty');
    for (const [i, rule] of authz.rules.entries()) {
      checkRule(rule, `rules[${i}]`, report);
      checkAction(rule, [AuthzRule_Action.ALLOW, AuthzRule_Action.DENY], `rules[${i}]`, report);
      if (rule.action === AuthzRule_Action.ALLOW && rule.condition !== undefined) {
        report(`rules[${i}].condition`, 'must be empty in an ALLOW rule: those with a condition are conditional_rules');
      }
      if (rule.action === AuthzRule_Action.ALLOW && rule.also.length > 0) {
        report(`rules[${i}].also`, 'must be empty in an ALLOW rule: those with more conditions are guarded_rules');
      }
    }
    for (const [i, rule] of authz.guardedRules.entries()) {
      checkRule(rule, `guardedRules[${i}]`, report);
      checkAction(rule, [AuthzRule_Action.ALLOW], `guardedRules[${i}]`, report);
      if (rule.also.length === 0) report(`guardedRules[${i}].also`, 'must not be empty; maybe conditions that this version does not know');
      if (rule.condition !== undefined)
        report(`guardedRules[${i}].condition`, 'must be empty: rules with a condition are conditional_rules');
    }
    for (const [i, rule] of authz.conditionalRules.entries()) {
      checkRule(rule, `conditionalRules[${i}]`, report);
      checkAction(rule, [AuthzRule_Action.ALLOW], `conditionalRules[${i}]`, report);
      if (rule.condition === undefined) report(`conditionalRules[${i}].condition`, 'must be set');
    }
    for (const [i, rule] of authz.auditRules.entries()) {
      checkRule(rule, `auditRules[${i}]`, report);
      checkAction(rule, [AuthzRule_Action.AUDIT], `auditRules[${i}]`, report);
    }
    for (const [i, { port, mode }] of (authz.mtls?.ports ?? []).entries()) {
      if (port !== 0 && !isPort(port)) report(`mtls.ports[${i}].port`, 'must be 1-65535, or 0 for all others');
      // What a newer version knows is taken as strict by this one.
      if (authz.mtls?.ports.findIndex((each) => each.port === port) !== i) report(`mtls.ports[${i}].port`, 'is there twice');
      if (mode < 0) report(`mtls.ports[${i}].mode`, 'must not be negative');
    }
    for (const [i, rule] of authz.tokens.entries()) checkTokenRule(rule, `tokens[${i}]`, report);
  });
}

function checkRule(rule: AuthzRule, path: string, report: Report): void {
  if (rule.condition !== undefined) checkCondition(rule.condition, `${path}.condition`, report);
  checkPatterns(rule, ['principals', 'namespaces', 'clusters'], path, report);
  for (const [i, match] of rule.also.entries()) checkMatch(match, `${path}.also[${i}]`, report);
}

const matchFields = ['principals', 'namespaces', 'clusters', 'notPrincipals', 'notNamespaces'] as const;

function checkMatch(match: AuthzMatch, path: string, report: Report): void {
  // Maybe only conditions that this version does not know: without them it would match everybody.
  if (matchFields.every((field) => match[field].length === 0)) report(path, 'must hold a condition');
  checkPatterns(match, matchFields, path, report);
}

function checkPatterns<F extends string>(of: Readonly<Record<F, string[]>>, fields: readonly F[], path: string, report: Report): void {
  for (const field of fields) {
    for (const [i, pattern] of of[field].entries()) {
      if (!/^(\*|\*?[^*]+|[^*]+\*)$/.test(pattern)) report(`${path}.${field}[${i}]`, 'must not be empty; `*` only alone, first or last');
    }
  }
}

const actionNames = new Map<number, string>([
  [AuthzRule_Action.ALLOW, 'allow'],
  [AuthzRule_Action.DENY, 'deny'],
  [AuthzRule_Action.AUDIT, 'audit'],
]);

function checkAction(rule: AuthzRule, actions: readonly AuthzRule_Action[], path: string, report: Report): void {
  if (!actions.includes(rule.action)) report(`${path}.action`, `must be ${actions.map((each) => actionNames.get(each)).join(' or ')}`);
}

/** A kind that is not known is no fault: by such a condition nobody is let in. */
function checkCondition({ kind }: AuthzCondition, path: string, report: Report): void {
  switch (kind?.$case) {
    case 'all':
    case 'any':
      for (const [i, each] of kind.value.of.entries()) checkCondition(each, `${path}.${kind.$case}[${i}]`, report);
      return;
    case 'not':
      checkCondition(kind.value, `${path}.not`, report);
      return;
    case 'test':
      checkTest(kind.value, `${path}.test`, report);
  }
}

function checkTest({ attribute, names, patterns }: AuthzTest, path: string, report: Report): void {
  if (patterns.length === 0) report(`${path}.patterns`, 'must not be empty');
  switch (attribute) {
    case AuthzTest_Attribute.SOURCE_IP:
    case AuthzTest_Attribute.DESTINATION_IP:
      for (const [i, each] of patterns.entries()) if (!isCidr(each)) report(`${path}.patterns[${i}]`, 'must be ADDRESS/BITS');
      return;
    case AuthzTest_Attribute.PORT:
      for (const [i, each] of patterns.entries()) if (!isPort(Number(each))) report(`${path}.patterns[${i}]`, 'must be 1-65535');
      return;
    case AuthzTest_Attribute.HEADER:
      if (names.length !== 1 || names[0] === '') report(`${path}.names`, 'must be the name of a header');
      return;
    case AuthzTest_Attribute.CLAIM:
      if (names.length === 0) report(`${path}.names`, 'must be the way to a claim');
      return;
  }
}

function checkTokenRule({ issuer, jwks }: TokenRule, path: string, report: Report): void {
  if (issuer === '') report(`${path}.issuer`, 'must not be empty');
  if (jwks === '') return;
  try {
    const { keys } = JSON.parse(jwks) as { keys?: unknown };
    if (!Array.isArray(keys)) report(`${path}.jwks`, 'must hold keys');
  } catch {
    report(`${path}.jwks`, 'must be JSON');
  }
}
