import type { Clock } from '../../../core/clock.ts';
import type { MigrationGate } from '../../../core/config/index.ts';
import type { ExternalGate, ExternalValue } from '../contract.ts';
import { describeStatus, exchange, nameOf, reasonOf } from './exchange.ts';
import { readAnswer } from './prometheus-answer.ts';
import { fillQuery } from './prometheus-query.ts';

type PrometheusGate = Extract<MigrationGate, { type: 'prometheus' }>;

/** Asks a Prometheus, or what speaks its HTTP API, for the value of the gate's query now. */
export function prometheusGate(gate: PrometheusGate, clock: Clock): ExternalGate {
  return {
    ask: async (question, signal) => {
      const query = fillQuery(gate.query, question);
      const request = {
        product: 'Prometheus',
        url: `${gate.url.replace(/\/$/, '')}/api/v1/query`,
        contentType: 'application/x-www-form-urlencoded',
        body: new URLSearchParams({ query }).toString(),
        tokenFile: gate.tokenFile,
        caFile: gate.caFile,
        timeoutMs: gate.timeoutMs,
      };
      try {
        const sentAt = clock.now();
        const { status, text, date } = await exchange(request, clock, signal);
        const wrong = describeStatus(request, status);
        if (wrong !== undefined) return noData(wrong);
        const answer = parse(text);
        if (answer === undefined)
          return noData(`${nameOf(request)} answered ${status} with no JSON: check that the gate's url is a Prometheus`);
        const value = readAnswer(answer, nameOf(request), query, { sentAt, receivedAt: clock.now(), date });
        // An error's body says more than its status; a value that comes with one is none.
        if (status === 200 || value.kind === 'no-data') return value;
        return noData(`${nameOf(request)} answered ${status}: check its log`);
      } catch (error) {
        return noData(reasonOf(error));
      }
    },
  };
}

function noData(reason: string): ExternalValue {
  return { kind: 'no-data', reason };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
