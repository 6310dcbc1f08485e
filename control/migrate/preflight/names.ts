import { claims, isExcluded, nameService, publishedName } from '../../../core/registry/index.ts';
import type { PreflightCheck, RegistryFact } from './contract.ts';
import type { Scene, Side } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';

/** Both sides may publish the service's name, so that they become one service and not a collision. */
export function checkNames(scene: Scene): readonly PreflightCheck[] {
  const problems = [...namesOf(scene.from, scene), ...namesOf(scene.to, scene)];
  return verdict('names', `${scene.from.label} and ${scene.to.label} may both publish ${scene.key}`, problems);
}

function namesOf(side: Side, scene: Scene): Problem[] {
  if (side.contribution !== undefined) return [];
  const held = withheldFrom(side, scene);
  if (held !== undefined) return [held];
  // Of a service that nobody has, its name is likely wrong, and not the rules.
  const nowhere = scene.service === undefined && !scene.facts.view.withheld.has(scene.key);
  return side.config === undefined || nowhere ? [] : ruled(side, side.config, scene);
}

function withheldFrom(side: Side, { facts, key }: Scene): Problem | undefined {
  const held = facts.view.withheld.get(key)?.find((w) => w.cluster === side.cluster && w.sources.some((s) => s === side.registry));
  if (held === undefined) return undefined;
  const path = `${side.path}.registry`;
  if (held.reason === 'NamespaceNotAllowed') {
    const [namespace = ''] = key.split('/');
    return fail(path, `NamespaceNotAllowed: ${held.message}`, `add "${namespace}" to spec.namespaces of Peer ${side.cluster}`);
  }
  return fail(path, `${held.reason}: ${held.message}`, addClaim(side, key));
}

function addClaim(side: Side, key: string): string {
  const where = side.local ? '' : ` in cluster ${side.cluster}`;
  return `add \`- ${key}\` under spec.mapping.claims of Registry ${side.registry}${where}`;
}

/** Nothing is registered there yet: what would its rules make of it? */
function ruled(side: Side, { rules }: RegistryFact, { key, namespace, spec }: Scene): Problem[] {
  const path = `${side.path}.registry`;
  const problems: Problem[] = [];
  if (!claims(rules, key)) {
    problems.push(
      fail(path, `${side.label} may not publish ${key}: it would be withheld (NotClaimed, or NameCollision)`, addClaim(side, key)),
    );
  }
  if (rules.namespaceFrom === undefined && rules.namespace !== namespace) {
    const message = `${side.label} puts all its services into namespace ${rules.namespace}, and ${key} is in ${namespace}`;
    problems.push(
      fail(path, message, `set spec.mapping.namespaceFrom (or spec.mapping.namespace: ${namespace}) of Registry ${side.registry}`),
    );
  }
  const native = Object.keys(rules.rename).filter((name) => rules.rename[name] === spec.service);
  const names = native.length > 0 ? native : [spec.service];
  const left = names.map((name) => nameService({ name, meta: {}, tags: [], nativeNamespace: namespace }, rules));
  const [first] = left;
  if (first !== undefined && left.every(isExcluded) && isExcluded(first)) {
    const message = `${side.label} leaves out ${names.join(', ')}: ${first.excluded}`;
    problems.push(
      warn(path, message, `take it out of spec.mapping.exclude, or put it into spec.mapping.include, of Registry ${side.registry}`),
    );
  } else if (native.length === 0 && Object.hasOwn(rules.rename, spec.service)) {
    const message = `${side.label} gives a service that is called ${spec.service} there the name ${rules.rename[spec.service] ?? ''}`;
    problems.push(warn(path, message, `register it under another name there, and rename that to ${spec.service} in spec.mapping.rename`));
  }
  if (spec.service.endsWith(publishedName({ name: '' }))) {
    const message = `${spec.service} looks like a name that the mesh publishes itself, and those are not imported`;
    problems.push(warn('spec.service', message, 'move the service that it stands for'));
  }
  return problems;
}
