import type { Caller } from '../../policy/index.ts';
import { explainDecision } from '../../policy/index.ts';
import type { CallFact, PreflightCheck } from './contract.ts';
import { authzOf, callerAs, callerOfPrincipal, identitiesOf, isAllowed } from './identity.ts';
import { type Scene, viewOfSide } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { listText, someText } from './words.ts';

/** Who calls the service now may call it there, and it may call from there what it calls now. */
export function checkPermissions(scene: Scene): readonly PreflightCheck[] {
  const { facts, key } = scene;
  const callers = new Set((facts.calls ?? []).filter((c) => c.destination === key).map((c) => c.source.principal));
  const problems = [...inbound(scene), ...guards(scene), ...outbound(scene)];
  if (facts.calls === undefined) {
    const fix = 'let a proxy report for as long as its callers need to show themselves, then plan again';
    problems.push(warn('spec.service', 'no proxy reports traffic: who calls the service is not known', fix));
  }
  const passed = callers.size === 0 ? 'nobody was seen to call it' : `all who were seen to call it may: ${someText([...callers].sort())}`;
  return verdict('permissions', passed, problems);
}

/** At the mTLS end of the new side. What another cluster enforces of its own is not known here. */
function inbound(scene: Scene): Problem[] {
  const { facts, key, service, to } = scene;
  if (service === undefined || !to.local) return [];
  const now = authzOf(service, facts.view, facts.policies);
  const view = to.endpoints.length === 0 ? facts.view : viewOfSide(facts.view, service, to);
  const then = authzOf(view.services.get(key) ?? service, view, facts.policies);
  return (facts.calls ?? []).flatMap((call) => {
    const caller = call.destination === key ? callerOfPrincipal(call.source) : undefined;
    if (caller === undefined || isAllowed(then, caller)) return [];
    const { text } = explainDecision(then, caller);
    const who = `${caller.principal} of ${caller.cluster}`;
    if (isAllowed(now, caller) || !scene.from.local) return [refusedThere(call, `${who} would be refused by ${to.label}: ${text}`)];
    const message = `${who} tried ${call.requests} times and is refused already: ${text}`;
    return [warn('spec.service', message, "its failures are counted as the service's own only where they reach an endpoint")];
  });
}

function refusedThere({ requests, source }: CallFact, message: string): Problem {
  const fix = `allow principal ${source.principal} in the AuthorizationPolicies that select the new side's labels, or export the service to ${source.cluster}`;
  return fail('spec.to', `${message}; it called ${requests} times in the last hour`, fix);
}

/** A policy that selects by what only the old side has ends with it. */
function guards({ facts, service, key, to }: Scene): Problem[] {
  if (service === undefined || !to.local || to.endpoints.length === 0) return [];
  const view = viewOfSide(facts.view, service, to);
  const names = (authz: ReturnType<typeof authzOf>) => [...(authz.selectedBy?.deny ?? []), ...(authz.selectedBy?.allow ?? [])];
  const then = names(authzOf(view.services.get(key) ?? service, view, facts.policies));
  const lost = names(authzOf(service, facts.view, facts.policies)).filter((name) => !then.includes(name));
  if (lost.length === 0) return [];
  const message = `AuthorizationPolicy ${listText(lost)} selects ${key} by labels that ${to.label} does not have: it would guard nothing once the old side is gone`;
  return [fail('spec.to', message, `give the new instances the labels that it selects, or let it select by labels that both have`)];
}

/** The moving service is a caller too, maybe under another name. */
function outbound(scene: Scene): Problem[] {
  const { facts, from, to, namespace, key } = scene;
  const as = (side: typeof from) => identitiesOf(side, namespace).map((i) => callerAs(i, side.cluster, facts.trustDomain));
  const [before, after] = [as(from), as(to)];
  const added = after.filter((a) => !before.some((b) => b.principal === a.principal && b.cluster === a.cluster));
  if (before.length === 0 || added.length === 0) return [];
  return [...facts.view.local.values()].flatMap((target) => {
    if (target.key === key) return [];
    const authz = authzOf(target, facts.view, facts.policies);
    const may = before.filter((caller) => isAllowed(authz, caller));
    const refused = may.length === 0 ? undefined : added.find((caller) => !isAllowed(authz, caller));
    if (refused === undefined) return [];
    const seen = (facts.calls ?? []).filter((c) => c.destination === target.key && may.some((m) => m.principal === c.source.principal));
    return [refusedFrom(refused, target.key, seen, explainDecision(authz, refused).text, scene)];
  });
}

function refusedFrom(caller: Caller, target: string, seen: readonly CallFact[], why: string, { from, to, spec }: Scene): Problem {
  const fix = `allow principal ${caller.principal} of cluster ${caller.cluster} where ${target} is guarded${from.cluster === to.cluster ? '' : `, and export ${target} to ${to.cluster}`}`;
  const message = `${target} would refuse ${spec.service} when it calls from ${to.label}: ${why}`;
  if (seen.length === 0) return warn('spec.to', `${message}; from ${from.label} it may, and was not seen to`, fix);
  const requests = seen.reduce((sum, c) => sum + c.requests, 0);
  return fail('spec.to', `${message}; from ${from.label} it called ${requests} times in the last hour`, fix);
}
