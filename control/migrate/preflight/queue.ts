import { didYouMean } from '../../../core/yaml/index.ts';
import { isRunning } from '../machine/index.ts';
import type { MigrationFact, PreflightCheck } from './contract.ts';
import type { Scene } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { someText } from './words.ts';

/** Other migrations: one of each service, in an order that ends, and no more at once than may be. */
export function checkQueue(scene: Scene): readonly PreflightCheck[] {
  const problems = [...sameService(scene), ...sameName(scene), ...dependencies(scene), ...cycles(scene), ...turns(scene)];
  return verdict('other-migrations', 'nothing else has to end first', problems);
}

function idOf({ namespace, name }: Pick<MigrationFact, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

function others({ facts, namespace, name }: Scene): readonly MigrationFact[] {
  return facts.migrations.filter((m) => idOf(m) !== idOf({ namespace, name }));
}

/** Two would pull at the same weights. One that is over stands for the service until another begins where it ended. */
function sameService(scene: Scene): Problem[] {
  const { namespace, spec, key, from, facts } = scene;
  const same = others(scene).filter((m) => m.namespace === namespace && m.spec.service === spec.service && m.released !== true);
  return same.flatMap((m): Problem[] => {
    const phase = m.phase ?? 'reserved';
    const message = `Migration ${idOf(m)} moves ${key} too (${phase})`;
    const remove = `\`isthmus delete migration ${idOf(m)}\``;
    if (isRunning(phase)) {
      return [fail('spec.service', message, `wait until it is done, or \`isthmus migrate abort ${idOf(m)}\`, then ${remove}`)];
    }
    if (phase === 'reserved') return [fail('spec.service', message, `start that one, or ${remove}`)];
    const at = whereItEnded(m, facts.view.cluster);
    if (at === `${from.cluster}/${from.registry}`) return [];
    const where = at === undefined ? `left ${m.weight} % on one side and the rest on the other` : `left everything on ${at}`;
    return [
      fail(
        'spec.service',
        `${message}: it ${where}, and this one would begin at ${from.label}`,
        `delete it first, as its weights are in force: ${remove}`,
      ),
    ];
  });
}

/** CLUSTER/SOURCE of all traffic; undefined: at both sides. */
function whereItEnded({ spec, weight = 0 }: MigrationFact, own: string): string | undefined {
  const side = weight === 0 ? spec.from : weight === 100 ? spec.to : undefined;
  return side === undefined ? undefined : `${side.cluster || own}/${side.registry}`;
}

function sameName({ facts, namespace, name, spec }: Scene): Problem[] {
  const own = facts.migrations.find((m) => idOf(m) === idOf({ namespace, name }));
  if (own === undefined) return [];
  if (own.spec.service !== spec.service) {
    const message = `Migration ${idOf(own)} is there already, of service ${own.spec.service}`;
    return [fail('metadata.name', message, 'give this one another name')];
  }
  if (own.phase === undefined || !isRunning(own.phase)) return [];
  return [warn('metadata.name', `Migration ${idOf(own)} is running (${own.phase})`, 'a change counts from its next start')];
}

function dependencies(scene: Scene): Problem[] {
  const { spec, facts, namespace, name } = scene;
  const known = others(scene).map(idOf);
  return spec.dependsOn.flatMap((each, i) => {
    const path = `spec.dependsOn[${i}]`;
    if (each === idOf({ namespace, name })) return [fail(path, 'it depends on itself: it would wait for ever', 'take it out')];
    const found = facts.migrations.find((m) => idOf(m) === each);
    if (found === undefined) {
      const fix = known.length === 0 ? 'apply that one first, or take it out' : `apply that one first, or name one of ${someText(known)}`;
      return [fail(path, `there is no Migration ${each}${didYouMean(each, known)}`, fix)];
    }
    if (found.phase === 'done') return [];
    const message = `Migration ${each} is ${found.phase ?? 'reserved'}: this one waits until it is done`;
    const ended = found.phase === 'aborted' || found.phase === 'rolled-back';
    return [warn(path, message, ended ? 'start that one again, or take it out' : 'start that one first')];
  });
}

/** Beyond itself: A waits for B waits for A. */
function cycles({ facts, namespace, name, spec }: Scene): Problem[] {
  const self = idOf({ namespace, name });
  const next = new Map(facts.migrations.map((m) => [idOf(m), m.spec.dependsOn]));
  next.set(self, spec.dependsOn);
  return spec.dependsOn.flatMap((first, i) => {
    if (first === self) return [];
    const way = wayRound(first, [self], next);
    if (way === undefined) return [];
    return [
      fail(
        `spec.dependsOn[${i}]`,
        `a cycle of dependencies: ${way.join(' → ')}; none of them would ever begin`,
        `take ${first} out, or end the cycle at another place`,
      ),
    ];
  });
}

/** The first way from `at` back to something on `path`. */
function wayRound(at: string, path: readonly string[], next: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const seen = new Set<string>();
  const walk = (here: string, before: readonly string[]): readonly string[] | undefined => {
    if (before.includes(here)) return [...before.slice(before.indexOf(here)), here];
    if (seen.has(here)) return undefined;
    seen.add(here);
    for (const each of next.get(here) ?? []) {
      const found = walk(each, [...before, here]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return walk(at, path);
}

function turns(scene: Scene): Problem[] {
  const { facts } = scene;
  const problems: Problem[] = [];
  if (facts.freeze !== null) {
    const message = `all migrations are frozen by ${facts.freeze.by}: ${facts.freeze.reason}`;
    problems.push(warn('', message, 'it can be applied now, and started after isthmus migrate unfreeze'));
  }
  const now = others(scene).filter((m) => m.phase !== undefined && m.phase !== 'waiting' && isRunning(m.phase));
  if (now.length >= facts.limit) {
    const message = `${now.length} of at most ${facts.limit} migrations run now (${someText(now.map(idOf))}): this one will wait`;
    problems.push(warn('', message, 'wait until one has ended, or raise the limit'));
  }
  return problems;
}
