import type { MigrationGate, MigrationSide, MigrationSpec, MigrationWebhook } from '../../../core/config/index.ts';
import type { MigrationDocument } from './contract.ts';
import { durationText } from './words.ts';

type Plain = Readonly<Record<string, unknown>>;

/** The object as people write it; parsed again it is the same spec. `because`: kept with it, for who reviews it. */
export function documentOf(namespace: string, name: string, spec: MigrationSpec, because: readonly string[] = []): MigrationDocument {
  const annotations = because.length === 0 ? {} : { annotations: { 'kubernetes.io/description': because.join('; ') } };
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Migration',
    metadata: { name, namespace, ...annotations },
    spec: specOf(spec),
  };
}

function specOf(spec: MigrationSpec): Plain {
  const { mirror, nativeName, dependsOn, webhooks } = spec;
  return {
    service: spec.service,
    from: sideOf(spec.from),
    to: sideOf(spec.to),
    ...(mirror === undefined ? {} : { mirror: { percent: mirror.percent, bake: durationText(mirror.bakeMs) } }),
    steps: spec.steps.map(({ weight, bakeMs, approval }) => ({ weight, bake: durationText(bakeMs), ...(approval ? { approval } : {}) })),
    interval: durationText(spec.intervalMs),
    baseline: durationText(spec.baselineMs),
    confidence: spec.confidence,
    gates: spec.gates.map(gateOf),
    onNoData: waitOf(spec.onNoData),
    onPartition: waitOf(spec.onPartition),
    drain: { timeout: durationText(spec.drain.timeoutMs), bake: durationText(spec.drain.bakeMs) },
    ...(nativeName === undefined ? {} : { nativeName }),
    ...(dependsOn.length === 0 ? {} : { dependsOn }),
    ...(webhooks.length === 0 ? {} : { webhooks: webhooks.map(withoutAbsent) }),
  };
}

function sideOf({ cluster, registry }: MigrationSide): Plain {
  return cluster === '' ? { registry } : { registry, cluster };
}

function waitOf({ action, afterMs }: MigrationSpec['onNoData']): Plain {
  return { action, after: durationText(afterMs) };
}

function withoutAbsent(value: MigrationWebhook): Plain {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

function gateOf(gate: MigrationGate): Plain {
  switch (gate.type) {
    case 'error-rate':
      return { ...gate, type: 'errorRate' };
    case 'request-rate':
      return { ...gate, type: 'requestRate' };
    case 'latency': {
      const { maxMs, ...rest } = gate;
      return maxMs === undefined ? rest : { ...rest, max: durationText(maxMs) };
    }
    case 'saturation':
      return { ...gate };
    default: {
      const { timeoutMs, ...rest } = gate;
      return { ...rest, timeout: durationText(timeoutMs) };
    }
  }
}
