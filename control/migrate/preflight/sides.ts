import { didYouMean } from '../../../core/yaml/index.ts';
import type { PreflightCheck } from './contract.ts';
import type { Scene, Side } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { listText, someText } from './words.ts';

/** Two different places that are known here and current. */
export function checkSides(scene: Scene): readonly PreflightCheck[] {
  const { from, to } = scene;
  const same = from.cluster === to.cluster && from.registry === to.registry;
  const problems = same
    ? [fail('spec.to', `both sides are ${from.label}`, 'name another registry, or another cluster, to move to')]
    : [...placeProblems(from, scene), ...placeProblems(to, scene)];
  const foreign = [from, to].filter((s) => !s.local);
  if (!same && foreign.length === 2) {
    const message = `neither ${from.label} nor ${to.label} is of ${scene.facts.view.cluster}, whose proxies alone are measured here`;
    problems.push(warn('spec', message, `apply the Migration in ${from.cluster}, where the old side's callers are`));
  }
  return verdict('sides', `${from.label} and ${to.label} are live`, problems);
}

function placeProblems(side: Side, scene: Scene): Problem[] {
  const { facts } = scene;
  const { cluster } = facts.view;
  if (!side.local && !facts.peers.some((p) => p.cluster === side.cluster)) {
    const known = [cluster, ...facts.peers.map((p) => p.cluster)];
    const message = `cluster ${side.cluster} is not known${didYouMean(side.cluster, known)}`;
    return [fail(`${side.path}.cluster`, message, `use ${listText(known)}, or let the cluster join as a peer first`)];
  }
  if (side.source === undefined) return [unknownSource(side, scene)];
  return stateProblems(side, scene);
}

function unknownSource(side: Side, { facts }: Scene): Problem {
  const there = facts.view.sources.filter((s) => s.cluster === side.cluster).map((s) => s.source);
  const path = `${side.path}.registry`;
  const message = `${side.cluster} has no source ${side.registry}${didYouMean(side.registry, there)}`;
  if (!side.local && there.length === 0) {
    return fail(path, message, `${side.cluster} has told nothing yet: check \`isthmus peer list\`, and that it exports the service`);
  }
  const choice = there.length === 0 ? 'configure a Registry first' : `use ${someText(there)}`;
  return fail(path, message, side.local ? `${choice}, or apply a Registry of that name` : choice);
}

function stateProblems(side: Side, { facts }: Scene): Problem[] {
  const { source } = side;
  const path = `${side.path}.registry`;
  const why = source?.error === undefined ? '' : ` (${source.error})`;
  const look = side.local
    ? `check \`isthmus status\` and that ${side.registry} answers`
    : `check \`isthmus peer list\` and ${side.cluster}`;
  const problems: Problem[] = [];
  switch (source?.state) {
    case 'unknown':
      problems.push(fail(path, `${side.label} has never been read${why}`, `${look}; begin once it is live`));
      break;
    case 'expired':
      problems.push(fail(path, `${side.label} was lost so long ago that nothing of it is served${why}`, `${look}; begin once it is live`));
      break;
    case 'stale':
      problems.push(fail(path, `${side.label} is stale: what it holds is not known to be current${why}`, `${look}; begin once it is live`));
      break;
    default:
  }
  const peer = side.local ? undefined : facts.peers.find((p) => p.cluster === side.cluster);
  if (peer?.connected === false) {
    const message = `${side.cluster} is not connected: its callers would not hear of new weights`;
    problems.push(fail(`${side.path}.cluster`, message, 'check `isthmus peer list` and the way between the two control planes'));
  }
  return problems;
}
