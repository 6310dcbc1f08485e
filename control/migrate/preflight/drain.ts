import type { CatalogEndpoint } from '../../catalog/index.ts';
import type { PreflightCheck } from './contract.ts';
import type { Scene } from './scene.ts';
import { type Problem, verdict, warn } from './verdict.ts';
import { countText, durationText, someText } from './words.ts';

/** Whether the end can be proven: that nobody uses the old side any more. */
export function checkDrain(scene: Scene): readonly PreflightCheck[] {
  const { from, spec } = scene;
  const problems = [...unseen(scene), ...times(scene)];
  const passed = `an agent reads the sockets of ${countText(from.endpoints.length, 'old endpoint')}: safe after ${durationText(spec.drain.bakeMs)} without a connection from outside`;
  return verdict('drain', passed, problems);
}

function unseen({ from, facts }: Scene): Problem[] {
  const isSeen = (e: CatalogEndpoint) => facts.socketAgents.some((a) => a.network === e.network && a.address === e.address);
  const blind = from.endpoints.filter((e) => !isSeen(e));
  return [blind.filter((e) => e.runtime !== 'kubernetes'), blind.filter((e) => e.runtime === 'kubernetes')].flatMap((places, i) => {
    if (places.length === 0) return [];
    const who = someText(places.map((e) => `${e.instance} (${e.address})`));
    const message = `no agent reads the sockets of ${who}: at the end its verdict will be unknown, never safe`;
    const fix =
      i === 0
        ? 'join those machines (`isthmus vm join TOKEN`), or check by hand'
        : 'pods have none: check by hand, such as by the flows of their CNI,';
    return [warn('spec.drain', message, `${fix} before they are turned off`)];
  });
}

function times({ spec }: Scene): Problem[] {
  const { bakeMs, timeoutMs } = spec.drain;
  const problems: Problem[] = [];
  if (bakeMs < 60_000) {
    const message = `${durationText(bakeMs)} without a connection is less than many callers wait between two`;
    problems.push(warn('spec.drain.bake', message, "set drain.bake to longer than the slowest caller's period, such as 10m"));
  }
  if (timeoutMs < 1_000) {
    problems.push(
      warn('spec.drain.timeout', 'open streams are not waited for: they break off', 'set drain.timeout to as long as they last'),
    );
  }
  return problems;
}
