import { didYouMean } from '../../../core/yaml/index.ts';
import { isKnownTo } from '../../routing/index.ts';
import type { PreflightCheck } from './contract.ts';
import type { Scene, Side } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { countText, someText } from './words.ts';

/** The service is there, of a kind that can be moved, and both sides serve it. */
export function checkService(scene: Scene): readonly PreflightCheck[] {
  const { from, to, key } = scene;
  const problems = existence(scene);
  // Nothing more can be said of what is not there.
  if (problems.length === 0) problems.push(...kindProblems(scene), ...placesProblems(scene));
  const passed = `${key} has ${countText(from.healthy.length, 'healthy endpoint')} on ${from.label} and ${to.healthy.length} on ${to.label}`;
  return verdict('service', passed, problems);
}

function existence({ facts, key, service, from, spec }: Scene): Problem[] {
  if (from.endpoints.length > 0) return healthOf(from);
  if (service === undefined) {
    const withheld = facts.view.withheld.get(key)?.[0];
    // The check of names says what to do about that one.
    if (withheld !== undefined) return [fail('spec.service', `${key} is not published: ${withheld.message}`, 'see the check of names')];
    const hint = didYouMean(key, [...facts.view.services.keys()]);
    return [fail('spec.service', `there is no service ${key}${hint}`, 'look it up with `isthmus status`, with its namespace')];
  }
  const sources = service.contributions.map((c) => (c.cluster === facts.view.cluster ? c.source : `${c.cluster}/${c.source}`));
  const hint = didYouMean(from.label, sources);
  const message = `${from.label} has no endpoint of ${key}${hint}`;
  return [fail('spec.from.registry', message, `name the side that serves ${spec.service} now: ${someText(sources) || 'none does'}`)];
}

function healthOf(from: Side): Problem[] {
  if (from.healthy.length > 0) return [];
  const message = `none of the ${countText(from.endpoints.length, 'endpoint')} on ${from.label} is healthy: there would be nothing to go back to`;
  return [fail('spec.from', message, `bring them up first: ${someText(from.endpoints.map((e) => `${e.instance} is ${e.health}`))}`)];
}

function kindProblems({ facts, service, key, spec, from, namespace }: Scene): Problem[] {
  const entry = facts.objects.find((o) => o.kind === 'ServiceEntry' && o.namespace === namespace && o.name === spec.service);
  if (entry?.kind === 'ServiceEntry' && entry.spec.location === 'external') {
    const message = `${key} is a ServiceEntry outside the mesh (MESH_EXTERNAL)`;
    return [
      fail(
        'spec.service',
        message,
        'register its instances in a registry, or make it MESH_INTERNAL with endpoints: only then have they sides',
      ),
    ];
  }
  const problems: Problem[] = [];
  const udp = [...new Set(Object.values(facts.native ?? {}).flatMap((n) => n.udpPorts ?? []))].sort((a, b) => a - b);
  if (udp.length > 0) {
    const message = `${key} has UDP ports (${udp.join(', ')}), which the mesh does not carry`;
    problems.push(warn('spec.service', message, 'move what is spoken over UDP by other means: it stays on the old side'));
  }
  if (service !== undefined && service.ports.length === 0) {
    problems.push(
      fail('spec.service', `${key} has no ports that the mesh carries`, `declare a TCP port where it is registered, in ${from.label}`),
    );
  }
  const headless = Object.entries(facts.native ?? {}).filter(([, n]) => n.headless === true);
  if (headless.length > 0) {
    const message = `${key} is headless in ${headless.map(([id]) => id).join(', ')}: callers of its instances by name are not moved`;
    problems.push(warn('spec.service', message, "let them call the service's own name; per-instance names stay with their instances"));
  }
  return problems;
}

function placesProblems(scene: Scene): Problem[] {
  return [...sharedPlaces(scene), ...newSide(scene), ...elsewhere(scene)];
}

/** One location is one endpoint, whoever reports it: it cannot be left and entered. */
function sharedPlaces({ from, to }: Scene): Problem[] {
  const both = from.endpoints.filter((e) => isKnownTo(to, e)).map((e) => `${e.instance} (${e.address})`);
  if (both.length === 0) return [];
  const message = `${from.label} and ${to.label} both report ${someText(both)}: one place cannot be moved to itself`;
  return [fail('spec.to.registry', message, 'register the new instances alone in the new registry, at addresses of their own')];
}

function newSide({ key, to }: Scene): Problem[] {
  if (to.source === undefined) return [];
  if (to.endpoints.length === 0) {
    const message = `${to.label} has no endpoint of ${key} yet`;
    return [
      warn(
        'spec.to',
        message,
        'apply the Migration, then deploy there: it gets no traffic before the start, which needs healthy endpoints',
      ),
    ];
  }
  if (to.healthy.length > 0) return [];
  const states = someText(to.endpoints.map((e) => `${e.instance} is ${e.health}`));
  return [
    fail(
      'spec.to',
      `none of the ${countText(to.endpoints.length, 'endpoint')} on ${to.label} is healthy`,
      `bring them up first: ${states}`,
    ),
  ];
}

/** Those of third sides are in neither subset. */
function elsewhere({ service, from, to, key }: Scene): Problem[] {
  const third = (service?.endpoints ?? []).filter((e) => !from.endpoints.includes(e) && !to.endpoints.includes(e));
  // Of a side that is not known here, nobody can say whose endpoints are not.
  if (third.length === 0 || from.source === undefined || to.source === undefined) return [];
  const sources = [...new Set(third.map((e) => `${e.cluster}/${e.source}`))];
  const message = `${countText(third.length, 'endpoint')} of ${key} on ${someText(sources)} ${third.length === 1 ? 'is' : 'are'} on neither side and would get nothing while it moves`;
  return [warn('spec', message, `see that ${from.label} can carry all of the traffic, or take that side out of the name first`)];
}
