import { isDeepStrictEqual } from 'node:util';
import type { Answer } from './answer.ts';
import type { Expectation } from './case.ts';

export interface Seen {
  readonly answers: readonly Answer[];
  /** Of the step before, in the order of its calls. */
  readonly before?: readonly Answer[];
  /** By instance. */
  readonly came: Readonly<Record<string, number>>;
  readonly connections: number;
}

/** What is not as expected, in words; empty: all is. Pure. */
export function judge(expected: Expectation, { answers, before = [], came, connections }: Seen): readonly string[] {
  const wrong: string[] = [];
  const say = (what: string, is: unknown, should: unknown) => {
    if (!isDeepStrictEqual(is, should)) wrong.push(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(should)}`);
  };
  const { status, by, shares = {}, spread, sticky, saw = {}, told = {}, body, cameInAll, atLeastMs = 0 } = expected;
  const askers = answers.flatMap((answer) => answererOf(answer) ?? []);
  if (status !== undefined) say('status', distinct(answers.map((a) => a.status)), distinct([status].flat()));
  if (by !== undefined) say('answered by', distinct(askers), distinct([by].flat()));
  const whole = askers.length;
  for (const [of, percent] of Object.entries(shares)) {
    const is = of.startsWith('=') ? answers.filter((a) => a.status === Number(of.slice(1))).length : askers.filter((a) => a === of).length;
    const total = of.startsWith('=') ? answers.length : whole;
    if (!isLikely(is, total, percent / 100)) wrong.push(`share of ${of}: ${is} of ${total}, not ${percent} %`);
  }
  if (spread !== undefined && new Set(askers).size < spread)
    wrong.push(`answered by ${distinct(askers).join()}, not by ${spread} at least`);
  if (sticky === true && new Set(askers).size !== 1) wrong.push(`answered by ${distinct(askers).join()}, not by one`);
  if (expected.ranked !== undefined) {
    const counts = [...new Set(askers)].map((by) => askers.filter((each) => each === by).length).sort((a, b) => b - a);
    const fits =
      counts.length === expected.ranked.length && expected.ranked.every((share, i) => isLikely(counts[i] ?? 0, whole, share / 100));
    if (!fits) wrong.push(`answered ${counts.join()} of ${whole}, not ${expected.ranked.join()} %`);
  }
  if (expected.strayed !== undefined) {
    const known = new Set(before.map(answererOf));
    const strayed = answers.filter((answer, i) => known.has(answererOf(answer)) && answererOf(answer) !== answererOf(before[i])).length;
    if (before.length !== answers.length || 100 * strayed > expected.strayed * answers.length)
      wrong.push(`${strayed} of ${answers.length} are answered by another that was there before, not ${expected.strayed} %`);
  }
  for (const { seen, headers, trailers, text, server, ms } of answers) {
    if (saw.path !== undefined) say('path at the backend', seen?.path, saw.path);
    if (saw.method !== undefined) say('method at the backend', seen?.method, saw.method);
    if (saw.httpVersion !== undefined) say('HTTP version at the backend', seen?.httpVersion, saw.httpVersion);
    for (const name of ['sni', 'alpn', 'client'] as const) {
      if (saw.tls?.[name] !== undefined) say(`${name} at the backend`, seen?.tls?.[name], saw.tls[name]);
    }
    for (const [name, value] of Object.entries(saw.headers ?? {})) say(`${name} at the backend`, spaced(seen?.headers[name]), value);
    for (const [name, value] of Object.entries(told)) say(`${name} of the answer`, spaced(headers[name]), value);
    for (const [name, value] of Object.entries(expected.trailers ?? {})) say(`trailer ${name}`, spaced(trailers[name]), value);
    for (const what of ['certificate', 'version'] as const) {
      if (expected.shown?.[what] !== undefined) say(`${what} shown`, server?.[what], expected.shown[what]);
    }
    if (body !== undefined) say('body', text, body);
    if (ms < atLeastMs * 0.95) wrong.push(`answered after ${Math.round(ms)} ms, not ${atLeastMs}`);
  }
  for (const [instance, count] of Object.entries(expected.came ?? {})) say(`came to ${instance}`, came[instance], count);
  for (const [instance, [least, most]] of Object.entries(expected.between ?? {})) {
    const is = came[instance] ?? 0;
    if (is < least || is > most) wrong.push(`came to ${instance}: ${is}, not ${least} to ${most}`);
  }
  const mean = answers.reduce((sum, { ms }) => sum + ms, 0) / answers.length;
  if (mean < (expected.meanAtLeastMs ?? 0)) wrong.push(`answered after ${Math.round(mean)} ms on average, not ${expected.meanAtLeastMs}`);
  const all = Object.values(came).reduce((sum, n) => sum + n, 0);
  if (cameInAll !== undefined) say('came in all', all, cameInAll);
  if (expected.connections !== undefined) say('connections', connections, expected.connections);
  return [...new Set(wrong)];
}

function answererOf(answer: Answer | undefined): string | undefined {
  const by = answer?.seen?.by ?? answer?.headers['x-by'];
  return by === undefined ? undefined : String(by);
}

/** Proxies put a space after the comma, or none. */
function spaced(value: string | readonly string[] | undefined): string | null {
  return value === undefined ? null : [value].flat().join().replaceAll(', ', ',');
}

function distinct<T extends number | string>(list: readonly T[]): readonly T[] {
  return [...new Set(list)].sort();
}

/** Within 6 standard deviations of a binomial. */
function isLikely(count: number, of: number, share: number): boolean {
  return of > 0 && Math.abs(count - of * share) <= 6 * Math.sqrt(of * share * (1 - share)) + 1e-9;
}
