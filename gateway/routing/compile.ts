import type { ClusterRef, HttpRule, PathMatch, Routing } from '../../core/traffic/index.ts';
import { ByDomain } from './by-domain.ts';
import { type CorsCheck, corsCheck } from './cors.ts';
import { type HttpTest, httpTest, type ProxyNode } from './http-match.ts';
import { type ConnectionFacts, type L4Choice, l4Matcher } from './l4.ts';
import type { RequestView } from './request-view.ts';
import { type PathChange, pathChange } from './rewrite-path.ts';

/** A rule with what it needs at each request made beforehand. */
export interface CompiledRule {
  readonly rule: HttpRule<ClusterRef>;
  readonly cors: CorsCheck | undefined;
  /** Of a rewrite or a redirect. */
  readonly pathChange: PathChange | undefined;
}

export interface RuleMatch extends CompiledRule {
  /** What the match that held says of the path. */
  readonly path: PathMatch | undefined;
}

export interface CompiledRouting {
  /** Undefined: no virtual host, or no rule in it. */
  rule(request: RequestView): RuleMatch | undefined;
  l4(connection: ConnectionFacts): L4Choice | undefined;
}

/** Compiles each Routing once, for one proxy; forgets it with the Routing. */
export class Router {
  readonly #node: ProxyNode;
  readonly #compiled = new WeakMap<Routing, CompiledRouting>();

  constructor(node: ProxyNode) {
    this.#node = node;
  }

  of(routing: Routing): CompiledRouting {
    const known = this.#compiled.get(routing);
    if (known !== undefined) return known;
    const compiled = compileRouting(routing, this.#node);
    this.#compiled.set(routing, compiled);
    return compiled;
  }
}

interface Alternative {
  readonly test: HttpTest | undefined;
  readonly match: RuleMatch;
}

function compileRouting(routing: Routing, node: ProxyNode): CompiledRouting {
  const hosts = new ByDomain(
    routing.virtualHosts.flatMap(({ domains, rules }) => {
      const alternatives = rules.flatMap((rule) => compileRule(rule, node));
      return domains.map((domain) => [domain, alternatives] as const);
    }),
  );
  return {
    rule: (request) => {
      const alternatives = hosts.find(request.host);
      if (alternatives === undefined) return undefined;
      for (const { test, match } of alternatives) if (test === undefined || test(request)) return match;
      return undefined;
    },
    l4: l4Matcher(routing, node),
  };
}

/** One alternative for each match of the rule that can hold here. */
function compileRule(rule: HttpRule<ClusterRef>, node: ProxyNode): Alternative[] {
  const { action, cors } = rule;
  const path = action.type === 'route' ? action.rewrite?.path : action.type === 'redirect' ? action.path : undefined;
  const compiled: CompiledRule = {
    rule,
    // Envoy's filter looks at requests that are led somewhere.
    cors: cors === undefined || action.type !== 'route' ? undefined : corsCheck(cors),
    pathChange: path === undefined ? undefined : pathChange(path),
  };
  if (rule.matches.length === 0) return [{ test: undefined, match: { ...compiled, path: undefined } }];
  return rule.matches.flatMap((match) => {
    const test = httpTest(match, node);
    return test === undefined ? [] : [{ test, match: { ...compiled, path: match.path } }];
  });
}
