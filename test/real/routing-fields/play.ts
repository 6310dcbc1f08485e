import { until } from '../../support/until.ts';
import type { Answer } from './answer.ts';
import type { Backend } from './backend.ts';
import { call } from './caller.ts';
import type { Expectation, FieldCase, Step } from './case.ts';
import { judge, type Seen } from './judge.ts';
import { keepaliveTimers } from './keepalive.ts';

/** Where one proxy leads for one case. */
export interface Stage {
  /** `SERVICE:PORT`, or the name of a gate → port of 127.0.0.1; the first is where calls go that say neither. */
  readonly ports: ReadonlyMap<string, number>;
  readonly backends: ReadonlyMap<string, Backend>;
  /** The folder that they are in. */
  readonly certificates: string;
  /** Exactly these are there of those that come late. Resolves when the proxies have been told. */
  readonly join: (instances: ReadonlySet<string>) => Promise<void>;
  /** When they were first told of what is there from the beginning; of performance.now(). */
  readonly since: number;
}

/** Every step in order; what was not as expected, by step. */
export async function play({ steps }: FieldCase, stage: Stage): Promise<readonly string[]> {
  for (const backend of stage.backends.values()) backend.behave({});
  const joined = new Set<string>();
  if (steps.some(({ joins }) => joins !== undefined)) await stage.join(joined);
  const wrong: string[] = [];
  let before: readonly Answer[] = [];
  for (const [i, step] of steps.entries()) {
    const old = stage.since + (step.agedS ?? 0) * 1_000;
    await until('the services to be old enough', () => performance.now() >= old, 60_000);
    for (const instance of step.joins ?? []) joined.add(instance);
    if (step.joins !== undefined) await stage.join(joined);
    const played = await playStep(step, stage, before);
    before = played.answers;
    for (const found of played.wrong) wrong.push(`step ${i + 1}: ${found}`);
  }
  return wrong;
}

interface Played {
  readonly answers: readonly Answer[];
  readonly wrong: readonly string[];
}

async function playStep(step: Step, stage: Stage, before: readonly Answer[]): Promise<Played> {
  for (const [instance, behaviour] of Object.entries(step.behave ?? {})) stage.backends.get(instance)?.behave(behaviour);
  if (step.eventually !== true) return once(step, stage, before);
  let last: Played = { answers: [], wrong: [] };
  const fine = async () => {
    last = await once(step, stage, before);
    return last.wrong.length === 0;
  };
  await until('the step to go as expected', fine, 15_000).catch(() => undefined);
  return last;
}

async function once(step: Step, stage: Stage, before: readonly Answer[]): Promise<Played> {
  for (const backend of stage.backends.values()) backend.forget();
  const answers = await callAll(step, stage);
  const seen = (): Seen => ({
    answers,
    before,
    came: Object.fromEntries([...stage.backends].map(([name, { came }]) => [name, came])),
    connections: [...stage.backends.values()].reduce((sum, { connections }) => sum + connections, 0),
  });
  const { came, cameInAll } = step.expect;
  // Nobody waits for what is mirrored.
  if (came !== undefined || cameInAll !== undefined) {
    await until(
      'what is to come',
      () => judge({ ...(came && { came }), ...(cameInAll && { cameInAll }) }, seen()).length === 0,
      2_000,
    ).catch(() => undefined);
  }
  return { answers, wrong: [...judge(step.expect, seen()), ...(await judgeConnections(step.expect, stage))] };
}

/** What becomes of connections that nobody uses any more. */
async function judgeConnections({ closes, keepaliveS }: Expectation, { backends }: Stage): Promise<readonly string[]> {
  const wrong: string[] = [];
  if (keepaliveS !== undefined) {
    const timers = await keepaliveTimers([...backends.values()].flatMap((backend) => backend.callers));
    const fine = timers.length > 0 && timers.every((timer) => timer !== undefined && timer <= keepaliveS && timer >= keepaliveS / 2);
    if (!fine) wrong.push(`keepalive timers: ${JSON.stringify(timers)} s, not up to ${keepaliveS}`);
  }
  if (closes === true) {
    const carrying = () => [...backends.values()].reduce((sum, backend) => sum + backend.callers.length, 0);
    await until('connections to be closed', () => carrying() === 0).catch(() => wrong.push(`${carrying()} connections stay`));
  }
  return wrong;
}

async function callAll({ ask, times = 1, atOnce = 1 }: Step, { ports, certificates }: Stage): Promise<readonly Answer[]> {
  const [first = ''] = ports.keys();
  const [service = '', port = ''] = first.split(':');
  const said = `${ask.service ?? service}:${ask.port ?? (ask.service === undefined ? port : portOf(ports, ask.service))}`;
  const to = ports.get(ask.gate ?? said) ?? 0;
  const named = { ...ask, service: ask.service ?? service };
  const cookies = new Map<string, string>();
  const answers: Answer[] = [];
  let next = 0;
  const caller = async () => {
    for (let i = next++; i < times; i = next++) answers[i] = await call(to, named, i, { cookies, certificates });
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  return answers;
}

function portOf(ports: ReadonlyMap<string, number>, service: string): string {
  return [...ports.keys()].find((key) => key.startsWith(`${service}:`))?.split(':')[1] ?? '';
}
