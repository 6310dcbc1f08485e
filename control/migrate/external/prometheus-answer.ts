import type { ExternalValue } from '../contract.ts';
import { oneLine } from './one-line.ts';

/** What the clocks said around an answer, Unix ms. */
export interface AnswerTimes {
  readonly sentAt: number;
  readonly receivedAt: number;
  /** The server's Date header. */
  readonly date: number | undefined;
}

/** A clock that is further off than this is somebody else's time: what it measured may be of another step. */
const MAX_SKEW_MS = 60_000;

/**
 * Reads the answer to an instant query, https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries: a scalar, or a vector of exactly one
 * sample, is a value; all else is no data, with what to do. `server` and `query` are for the reasons.
 */
export function readAnswer(answer: unknown, server: string, query: string, times: AnswerTimes): ExternalValue {
  const envelope = asObject(answer);
  if (envelope?.['status'] === 'error') return noData(`${server} refused the query ${quote(query)}: ${oneLine(envelope['error'])}`);
  const data = asObject(envelope?.['data']);
  if (envelope?.['status'] !== 'success' || data === undefined)
    return noData(`${server} answered with another format: check that the gate's url is a Prometheus`);
  const warnings = envelope['warnings'];
  if (Array.isArray(warnings) && warnings.length > 0)
    return noData(`${server} answered with a warning, so data may be missing: ${oneLine(warnings[0])}`);
  const sample = oneSample(data, server, query);
  return 'kind' in sample ? sample : readSample(sample.sample, server, query, times);
}

function oneSample(data: Readonly<Record<string, unknown>>, server: string, query: string): { readonly sample: unknown } | NoData {
  const { resultType, result } = data;
  if (resultType === 'scalar') return { sample: result };
  if (resultType !== 'vector' || !Array.isArray(result)) {
    return noData(
      `the query ${quote(query)} gives a ${oneLine(resultType)}, not one number: it must give a scalar or one sample of a vector`,
    );
  }
  if (result.length === 0) {
    return noData(
      `${server} has no sample for ${quote(query)}: check the metric's name and labels, that it is scraped, and that there were requests`,
    );
  }
  if (result.length > 1) {
    return noData(`${server} has ${result.length} samples for ${quote(query)}: aggregate them to one, for example with sum()`);
  }
  const sample = asObject(result[0])?.['value'];
  return sample === undefined
    ? noData(`the query ${quote(query)} gives a histogram: take one number of it, for example with histogram_quantile()`)
    : { sample };
}

function readSample(sample: unknown, server: string, query: string, times: AnswerTimes): ExternalValue {
  const [at, text] = Array.isArray(sample) ? (sample as unknown[]) : [];
  if (typeof at !== 'number' || typeof text !== 'string')
    return noData(`${server} answered with another format: check that the gate's url is a Prometheus`);
  for (const clock of [times.date, at * 1000]) {
    const skew = clock === undefined ? 0 : skewOf(clock, times);
    if (Math.abs(skew) > MAX_SKEW_MS) {
      const way = skew > 0 ? 'ahead of' : 'behind';
      return noData(
        `${server} is ${Math.round(Math.abs(skew) / 1000)} s ${way} the control plane: set the clocks of both machines, then its figures are of this step`,
      );
    }
  }
  const value = text === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return { kind: 'value', value };
  return noData(`the query ${quote(query)} gives ${oneLine(text)}: there were no requests to divide by, or the query divides by zero`);
}

/** How far it is outside the time in which it was asked. */
function skewOf(clock: number, { sentAt, receivedAt }: AnswerTimes): number {
  if (clock > receivedAt) return clock - receivedAt;
  // The header has whole seconds alone, cut off.
  return Math.min(0, clock + 1000 - sentAt);
}

type NoData = Extract<ExternalValue, { kind: 'no-data' }>;

function noData(reason: string): NoData {
  return { kind: 'no-data', reason };
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function quote(query: string): string {
  return `'${oneLine(query)}'`;
}
