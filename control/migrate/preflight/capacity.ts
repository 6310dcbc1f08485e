import type { PreflightCheck } from './contract.ts';
import type { Scene } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { countText, numberText, percentText } from './words.ts';

/** Where no gate says how much more than before each endpoint may carry. */
const usualLoad = 1.2;

/** The new side alone carries all of it at the last step. */
export function checkCapacity(scene: Scene): readonly PreflightCheck[] {
  const { from, to } = scene;
  if (from.healthy.length === 0 || to.healthy.length === 0) return [];
  const load = from.healthy.length / to.healthy.length;
  const most = mostLoad(scene);
  const problems = load > most ? [tooSmall(scene, load, most)] : [];
  const each = perEndpoint(scene);
  const figures =
    each === undefined ? 'as many as' : `at ${numberText(each)} requests at once for each, the most seen, ${percentText(load)} of`;
  const passed = `${countText(to.healthy.length, 'healthy endpoint')} on ${to.label} for ${from.healthy.length} on ${from.label}: ${figures} what each carried before`;
  return verdict('capacity', each === undefined ? passed.replace(': as many as what each carried before', '') : passed, [
    ...problems,
    ...unseen(scene),
  ]);
}

function mostLoad({ spec }: Scene): number {
  const gates = spec.gates.flatMap((g) => (g.type === 'saturation' ? [g.max] : []));
  return gates.length === 0 ? usualLoad : Math.min(...gates);
}

/** Requests at once, the most that was seen. */
function perEndpoint({ facts, from }: Scene): number | undefined {
  const inFlight = facts.seen?.inFlight ?? null;
  return inFlight === null ? undefined : inFlight / from.healthy.length;
}

function tooSmall(scene: Scene, load: number, most: number): Problem {
  const { from, to, facts } = scene;
  const needed = Math.ceil(from.healthy.length / most - 1e-9);
  const each = perEndpoint(scene);
  const inFlight = facts.seen?.inFlight ?? 0;
  const seen =
    each === undefined
      ? ''
      : ` (${numberText(inFlight)} requests at once were seen, ${numberText(each)} for each; there it would be ${numberText(inFlight / to.healthy.length)})`;
  const message = `${to.label} has ${countText(to.healthy.length, 'healthy endpoint')} for what ${from.healthy.length} carry on ${from.label}: at 100 % each would carry ${percentText(load)} of what each did${seen}, above ${percentText(most)}`;
  const room = Math.floor((most / load) * 1_000) / 10;
  const fix = `bring up at least ${needed} on ${to.label}; where each can carry more, say so with a saturation gate of max ${percentText(Math.ceil(load * 20) / 20).replace(' ', '')} (as it is, ${room} % of the traffic fit)`;
  return fail('spec.to', message, fix);
}

function unseen({ facts, from }: Scene): Problem[] {
  if (facts.seen !== undefined) return [];
  const message = `no traffic was seen: what an endpoint of ${from.label} carries is not known`;
  return [
    warn('spec.from', message, 'plan again under the usual load, by callers whose proxies report; without traffic no gate ever passes'),
  ];
}
