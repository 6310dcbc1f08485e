import type { Clock } from '../../../core/clock.ts';
import type { MigrationGate } from '../../../core/config/index.ts';
import type { ExternalGate, ExternalQuestion, ExternalValue } from '../contract.ts';
import { describeStatus, type Exchange, exchange, nameOf, type Reply, reasonOf } from './exchange.ts';
import { oneLine } from './one-line.ts';

type HookGate = Extract<MigrationGate, { type: 'http' }>;

/**
 * Asks a program of the user: POST `{namespace, migration, service, weight, step}`. 2xx passes; 4xx with `{"rollback": true, "reason": TEXT}` is a breach;
 * all else is no data.
 */
export function hookGate(gate: HookGate, clock: Clock): ExternalGate {
  return {
    ask: async ({ namespace, migration, service, weight, step }: ExternalQuestion, signal) => {
      const request: Exchange = {
        product: 'the hook',
        url: gate.url,
        contentType: 'application/json',
        body: JSON.stringify({ namespace, migration, service, weight, step }),
        tokenFile: gate.tokenFile,
        caFile: gate.caFile,
        timeoutMs: gate.timeoutMs,
      };
      try {
        return readReply(request, await exchange(request, clock, signal));
      } catch (error) {
        return { kind: 'no-data', reason: reasonOf(error) };
      }
    },
  };
}

function readReply(request: Exchange, { status, text }: Reply): ExternalValue {
  const { rollback, reason } = fieldsOf(text);
  const because = typeof reason === 'string' && reason !== '' ? `: ${oneLine(reason)}` : '';
  const answered = `${nameOf(request)} answered ${status}`;
  if (status >= 200 && status < 300) return { kind: 'pass', reason: `${answered}${because}` };
  if (status >= 400 && status < 500 && rollback === true) return { kind: 'breach', reason: `${nameOf(request)} asks to go back${because}` };
  return {
    kind: 'no-data',
    reason:
      describeStatus(request, status) ??
      `${answered}, which neither passes (2xx) nor asks to go back (4xx with {"rollback": true})${because}`,
  };
}

function fieldsOf(text: string): { readonly rollback?: unknown; readonly reason?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
