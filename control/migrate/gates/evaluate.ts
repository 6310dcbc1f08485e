import type { GateStatus } from '../../../core/admin/index.ts';
import type { MigrationGate } from '../../../core/config/index.ts';
import { trialsOf } from '../figures.ts';
import type { GateView, Judgement } from './contract.ts';
import { errorRateLimit, judgeErrorRate } from './error-rate.ts';
import { judgeHook, judgePrometheus, prometheusLimit } from './external.ts';
import { judgeLatency, latencyLimit } from './latency.ts';
import { judgeRequestRate, judgeSaturation, requestRateLimit, saturationLimit } from './traffic.ts';
import { ms, number, some } from './words.ts';

const units = { 'error-rate': 'share', latency: 'ms', 'request-rate': '/s', saturation: 'share', prometheus: '', http: '' } as const;

/**
 * What each gate says, in their order. A breach stands whatever else is unknown: it was proven by what is known. Everything else is no data while it is not
 * sure that what was measured is what is asked for.
 */
export function evaluateGates(gates: readonly MigrationGate[], view: GateView): readonly GateStatus[] {
  const everywhere = whyUnknown(view);
  const measured = everywhere ?? whyUnmeasured(view);
  return gates.map((gate): GateStatus => {
    const found = judge(gate, view);
    const why = isExternal(gate) ? everywhere : measured;
    const judgement = found.verdict === 'breach' || why === undefined ? found : { ...found, verdict: 'no-data' as const, reason: why };
    return { name: gate.name, type: gate.type, unit: units[gate.type], limit: limitOf(gate), ...judgement };
  });
}

/** It is asked of somebody else, and not counted by proxies. */
export function isExternal({ type }: { readonly type: string }): boolean {
  return type === 'prometheus' || type === 'http';
}

function judge(gate: MigrationGate, view: GateView): Judgement {
  switch (gate.type) {
    case 'error-rate':
      return judgeErrorRate(gate, view);
    case 'latency':
      return judgeLatency(gate, view);
    case 'request-rate':
      return judgeRequestRate(gate, view);
    case 'saturation':
      return judgeSaturation(gate, view);
    case 'prometheus':
      return judgePrometheus(gate, view.external.get(gate.name));
    case 'http':
      return judgeHook(view.external.get(gate.name));
  }
}

function limitOf(gate: MigrationGate): string {
  switch (gate.type) {
    case 'error-rate':
      return errorRateLimit(gate);
    case 'latency':
      return latencyLimit(gate);
    case 'request-rate':
      return requestRateLimit(gate);
    case 'saturation':
      return saturationLimit(gate);
    case 'prometheus':
      return prometheusLimit(gate);
    case 'http':
      return 'the hook agrees';
  }
}

/** Whether the weight that is asked for is the one in force, on sides that are known. */
function whyUnknown({ places, proxies }: GateView): string | undefined {
  for (const [side, { state }] of [
    ['new', places.to],
    ['old', places.from],
  ] as const)
    if (state !== 'live') return `the ${side} side's registry is ${state}: what is known of it may not be true any more`;
  const { behind, missing } = proxies;
  if (behind.length > 0) return `this weight is not acknowledged by ${some(behind)}`;
  if (missing.length > 0) return `this weight could not be told to ${some(missing)}: no xDS stream of theirs is anywhere`;
  return undefined;
}

/** Whether all who are to report have, and still do. */
function whyUnmeasured({ proxies, quietMs, step, confidence, intervalMs, weight }: GateView): string | undefined {
  if (proxies.silent.length > 0) return `no report came from ${some(proxies.silent)}`;
  const seen = trialsOf(step.to);
  if (weight === 0) return undefined;
  if (quietMs === undefined || seen === 0) return 'no request or connection to the new side since the step began';
  const perMs = seen / Math.max(1, step.elapsedMs - quietMs);
  // As long as this without one, at that rate, is chance less often than the confidence allows.
  const chance = -Math.log(1 - confidence) / perMs;
  if (quietMs <= Math.max(intervalMs, chance)) return undefined;
  return `no request or connection to the new side for ${ms(quietMs)}, where ${number(perMs * 1_000)} a second came before`;
}
