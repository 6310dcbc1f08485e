import { type AuthzCondition, type AuthzFacts, type AuthzRule, conditionHolds } from '../../core/authz/index.ts';

/** What of a rule does not hold, one thing a line; empty: all of it does. Pure. */
export function missedBy(rule: AuthzRule, facts: AuthzFacts): readonly string[] {
  const lists = [rule, ...(rule.also ?? [])].flatMap(({ principals, namespaces, clusters }) => [
    ...list('principal', principals),
    ...list('namespace', namespaces),
    ...list('cluster', clusters),
  ]);
  const exclusions = (rule.also ?? []).flatMap(({ notPrincipals, notNamespaces }) => [
    ...list('principal', notPrincipals).map(not),
    ...list('namespace', notNamespaces).map(not),
  ]);
  const all = [...lists, ...exclusions, ...(rule.when === undefined ? [] : [rule.when])];
  return [...new Set(all.flatMap((each) => missed(each, facts)))];
}

function list(attribute: 'principal' | 'namespace' | 'cluster', patterns: readonly string[]): readonly AuthzCondition[] {
  return patterns.length === 0 ? [] : [{ kind: 'test', attribute, names: [], patterns }];
}

function not(of: AuthzCondition): AuthzCondition {
  return { kind: 'not', of };
}

function missed(condition: AuthzCondition, facts: AuthzFacts, negated = false): readonly string[] {
  const truth = conditionHolds(condition, facts);
  if (truth !== undefined && truth !== negated) return [];
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.flatMap((each) => missed(each, facts, negated));
    case 'not':
      return missed(condition.of, facts, !negated);
    case 'unknown':
      return ['a condition that this version does not know'];
    case 'test': {
      const { attribute, names, patterns } = condition;
      const what = names.length === 0 ? attribute : `${attribute} ${names.join('.')}`;
      if (truth === undefined) return [`${what} is not known`];
      return [`${what} is ${negated ? '' : 'not '}${patterns.length > 1 ? 'one of ' : ''}${patterns.join(', ')}`];
    }
  }
}
