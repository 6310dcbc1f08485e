import assert from 'node:assert/strict';
import type { MigrationReport } from '../../../core/admin/index.ts';
import type { Load, Sample } from '../site-loss/samples.ts';
import type { Away } from './away.ts';
import { backendOf, type CallerKind } from './callers.ts';
import type { Backend } from './runtimes.ts';

/** Until every caller's proxy has acknowledged a weight and what it had begun is over, ms. */
const settleMs = 2_000;
/** Standard deviations: one in a thousand million is further off by chance. */
const sigmas = 6;

type Loads = ReadonlyMap<CallerKind, Load>;

type TimesAway = ReadonlyMap<CallerKind, readonly Away[]>;

/** What was seen from outside the report. */
interface Known {
  readonly away?: TimesAway;
  /** As `Run` has it. */
  readonly inForce?: ReadonlyMap<number, number>;
}

/**
 * The shares that callers of every kind saw agree with the weights asked for, at every step, from when their proxy could hear of it. A hundred per cent leave
 * no room for one that hears late: they count from when all were seen to have them, at the latest from the end of the step, and hold beyond it. Returns them,
 * for the log.
 */
export function assertWeights(
  loads: Loads,
  report: MigrationReport,
  to: readonly Backend[],
  { away = new Map(), inForce = new Map() }: Known = {},
): readonly string[] {
  const names = new Set(to.map(({ name }) => name));
  const lines: string[] = [];
  for (const { weight, begunAt, endedAt, outcome } of report.steps) {
    const ended = endedAt === null ? Number.POSITIVE_INFINITY : Date.parse(endedAt);
    const whole = weight === 100 && outcome === 'passed';
    const until = whole ? Number.POSITIVE_INFINITY : ended;
    for (const [kind, { samples }] of loads) {
      const back = (away.get(kind) ?? []).filter((each) => each.from < ended).map((each) => each.until);
      const settled = Math.max(Date.parse(begunAt), ...back) + settleMs;
      const from = whole ? Math.max(settled, Math.min(ended, inForce.get(weight) ?? ended)) : settled;
      const sent = samples.filter(({ at }) => at >= from && at < until);
      const moved = sent.filter((sample) => names.has(backendOf(sample) ?? '')).length;
      const p = weight / 100;
      const bound = sigmas * Math.sqrt(sent.length * p * (1 - p)) + 1;
      lines.push(`${kind}: ${weight} % asked (${outcome}), ${moved} of ${sent.length} moved`);
      // A step that waited for a proxy alone goes on as soon as that one is back.
      assert.ok(sent.length >= 20 || back.length > 0, `${kind}: only ${sent.length} requests at ${weight} %`);
      assert.ok(Math.abs(moved - sent.length * p) <= bound, `${lines.at(-1)}: not within ${bound.toFixed(1)}`);
    }
  }
  return lines;
}

/** No step is passed on what others measured while a proxy that chooses cannot even have heard of its weight. */
export function assertWaitedFor({ steps }: MigrationReport, away: TimesAway): void {
  for (const { weight, endedAt } of steps) {
    const ended = Date.parse(endedAt ?? '');
    for (const [kind, times] of away) {
      const missed = times.find(({ from, until }) => from < ended && ended < until);
      assert.equal(missed, undefined, `${weight} % was passed while the proxy of ${kind} was away`);
    }
  }
}

/** What the control plane says that it measured agrees as well. A step that ended before anything was measured says nothing. */
export function assertMeasured({ steps }: MigrationReport): void {
  for (const { weight, from, to } of steps) {
    const all = from.requests + to.requests;
    const p = weight / 100;
    // Requests of the moment in which the weight changed are counted with it: one report's worth.
    const bound = sigmas * Math.sqrt(all * p * (1 - p)) + 0.2 * all + 1;
    assert.ok(Math.abs(to.requests - all * p) <= bound, `at ${weight} % ${to.requests} of ${all} requests were measured`);
  }
}

export function failuresOf(loads: Loads): readonly Sample[] {
  return [...loads.values()].flatMap(({ samples }) => samples.filter(({ ok }) => !ok));
}

export function assertNoneFailed(loads: Loads): void {
  const failed = failuresOf(loads);
  const all = [...loads.values()].reduce((sum, { samples }) => sum + samples.length, 0);
  assert.ok(all > 300, `only ${all} requests were sent`);
  assert.deepEqual(failed.slice(0, 3), [], `${failed.length} of ${all} failed`);
}

/**
 * No more failed than the weights explain, of a new side that fails so large a share of what it gets: sent at each weight, while it was in force or was being
 * taken back, times the share, and what chance may add.
 */
export function assertExplained(loads: Loads, { steps }: MigrationReport, share: number): string {
  let expected = 0;
  for (const { weight, begunAt, endedAt } of steps) {
    const until = (endedAt === null ? Number.POSITIVE_INFINITY : Date.parse(endedAt)) + settleMs;
    for (const { samples } of loads.values()) {
      expected += samples.filter(({ at }) => at >= Date.parse(begunAt) && at < until).length * (weight / 100) * share;
    }
  }
  const failed = failuresOf(loads).length;
  const most = expected + sigmas * Math.sqrt(expected) + 1;
  const line = `${failed} failed, ${expected.toFixed(1)} are explained`;
  assert.ok(failed <= most, `${line}, ${most.toFixed(1)} with chance`);
  return line;
}

/** Nothing reaches those places from then on: from when all callers have heard of it. */
export function assertLeft(loads: Loads, places: readonly Backend[], after: number): void {
  const names = new Set(places.map(({ name }) => name));
  for (const [kind, { samples }] of loads) {
    const since = samples.filter(({ at }) => at >= after + settleMs);
    assert.ok(since.length > 0, `${kind}: nothing was asked any more`);
    const late = since.filter((sample) => names.has(backendOf(sample) ?? ''));
    assert.deepEqual(late.slice(0, 3), [], `${kind}: ${late.length} requests still went there`);
  }
}
