import { compileTest } from './compile-test.ts';
import {
  type AuthzAttribute,
  type AuthzCondition,
  type AuthzFacts,
  type AuthzMatch,
  type AuthzRule,
  type Caller,
  requestAttributes,
} from './contract.ts';
import { admits } from './foreign.ts';
import { matchesPattern } from './pattern.ts';
import { everyTrue, notTrue, someTrue, type Truth } from './truth.ts';

export interface Decision {
  readonly allowed: boolean;
  /** The first rule that decided; absent: no rule allows it. */
  readonly rule?: AuthzRule;
}

/**
 * What an mTLS end says to a caller: deny rules first, then any allow rule, otherwise refused. The one evaluation of the mesh: who
 * terminates mTLS enforces by it, and control planes say by it who may call whom. Of what the facts do not tell, an allow rule lets nobody
 * in by it, and a deny rule refuses. Pure; costs no more than its rules.
 */
export function authorize(rules: readonly AuthzRule[], facts: AuthzFacts): Decision {
  for (const rule of rules) if (rule.action === 'deny' && matches(rule, facts) !== false) return { allowed: false, rule };
  for (const rule of rules) if (rule.action === 'allow' && matches(rule, facts) === true) return { allowed: true, rule };
  return { allowed: false };
}

/** Whether some request could be let in, as far as the facts tell: false is certain, true is not. */
export function mayBeAllowed(rules: readonly AuthzRule[], facts: AuthzFacts): boolean {
  if (rules.some((rule) => rule.action === 'deny' && matches(rule, facts) === true)) return false;
  return rules.some((rule) => rule.action === 'allow' && matches(rule, facts) !== false);
}

/** Names of the audit rules that mark it, each once. */
export function auditedBy(rules: readonly AuthzRule[], facts: AuthzFacts): readonly string[] {
  const marking = rules.filter((rule) => rule.action === 'audit' && matches(rule, facts) !== false);
  return [...new Set(marking.map((rule) => rule.name))];
}

/** Some rule looks at one of them. */
export function looksAt(rules: readonly AuthzRule[], attributes: ReadonlySet<AuthzAttribute>): boolean {
  return rules.some(
    (rule) => rule.when !== undefined && mentions(rule.when, (leaf) => leaf.kind === 'test' && attributes.has(leaf.attribute)),
  );
}

/** Whether a rule matches; undefined: the facts do not tell. */
function matches(rule: AuthzRule, facts: AuthzFacts): Truth {
  if (rule.action === 'allow' && !admits(rule, facts)) return false;
  if (!positive(rule, facts)) return false;
  if (rule.also !== undefined && !rule.also.every((match) => positive(match, facts) && !excluded(match, facts))) return false;
  if (rule.when === undefined) return true;
  // As Istio has it: on a byte stream such a rule is no rule at all, whatever else would match.
  if (facts.request === 'none' && rule.action === 'allow' && mentions(rule.when, ofRequest)) return false;
  return compiled(rule.when)(facts);
}

/** What is not known may be such a one. */
const ofRequest = (leaf: Leaf) => leaf.kind === 'unknown' || requestAttributes.has(leaf.attribute);

function positive({ principals, namespaces, clusters }: Pick<AuthzMatch, 'principals' | 'namespaces' | 'clusters'>, caller: Caller) {
  return anyOrNone(principals, caller.principal) && anyOrNone(namespaces, caller.namespace) && anyOrNone(clusters, caller.cluster);
}

function excluded({ notPrincipals, notNamespaces }: AuthzMatch, caller: Caller): boolean {
  return notPrincipals.some((p) => matchesPattern(p, caller.principal)) || notNamespaces.some((p) => matchesPattern(p, caller.namespace));
}

function anyOrNone(patterns: readonly string[], value: string): boolean {
  return patterns.length === 0 || patterns.some((pattern) => matchesPattern(pattern, value));
}

/** Whether a condition holds by itself; undefined: the facts do not tell. */
export function conditionHolds(condition: AuthzCondition, facts: AuthzFacts): Truth {
  return compiled(condition)(facts);
}

type Compiled = (facts: AuthzFacts) => Truth;

const known = new WeakMap<AuthzCondition, Compiled>();

/** Rules live as long as the state that they came with: each is compiled once. */
function compiled(condition: AuthzCondition): Compiled {
  let made = known.get(condition);
  if (made === undefined) {
    made = compile(condition);
    known.set(condition, made);
  }
  return made;
}

function compile(condition: AuthzCondition): Compiled {
  switch (condition.kind) {
    case 'all': {
      const of = condition.of.map(compile);
      return (facts) => everyTrue(of, (each) => each(facts));
    }
    case 'any': {
      const of = condition.of.map(compile);
      return (facts) => someTrue(of, (each) => each(facts));
    }
    case 'not': {
      const of = compile(condition.of);
      return (facts) => notTrue(of(facts));
    }
    case 'test':
      return compileTest(condition);
    case 'unknown':
      return () => undefined;
  }
}

type Leaf = Extract<AuthzCondition, { kind: 'test' | 'unknown' }>;

function mentions(condition: AuthzCondition, is: (leaf: Leaf) => boolean): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.some((each) => mentions(each, is));
    case 'not':
      return mentions(condition.of, is);
    default:
      return is(condition);
  }
}
