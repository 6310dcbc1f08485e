import type { GateStatus, MigrationEvent, MigrationPlan, MigrationReport, MigrationStatus, SideFigures } from '../../core/admin/index.ts';

const figures: SideFigures = { requests: 0, connections: 0, errors: 0, p50: null, p90: null, p99: null, inFlight: null };

function gate(name: string, more: Partial<GateStatus>): GateStatus {
  const type = name === 'errors' ? 'error-rate' : 'latency';
  const none = { value: null, compared: null, samples: 0, needed: 300, confidence: null };
  return { name, type, verdict: 'pass', limit: '', unit: '', reason: '', ...none, ...more };
}

const event = (at: string, type: string, message: string, weight: number, by = 'isthmus'): MigrationEvent => ({
  at,
  type,
  by,
  message,
  weight,
});

/** In the middle of its third step; one gate passes, one waits, one knows nothing. */
export function sampleMigration(changes: Partial<MigrationStatus> = {}): MigrationStatus {
  const step = (weight: number, approval = false) => ({ weight, bakeMs: 300_000, approval, approved: false });
  return {
    namespace: 'shop',
    name: 'orders-to-prod',
    service: 'orders',
    phase: 'stepping',
    run: 1,
    from: {
      ...figures,
      side: 'east/consul/dc1',
      state: 'live',
      endpoints: 2,
      healthy: 2,
      weight: 75,
      measured: 74.6,
      requests: 4_476,
      errors: 4,
      p50: 11.2,
      p90: 24.8,
      p99: 61,
      inFlight: 1.9,
    },
    to: {
      ...figures,
      side: 'east/kubernetes/prod',
      state: 'live',
      endpoints: 3,
      healthy: 3,
      weight: 25,
      measured: 25.4,
      requests: 1_524,
      errors: 2,
      p50: 10.1,
      p90: 22.4,
      p99: 58.3,
      inFlight: 0.6,
    },
    step: 2,
    steps: [step(1), step(5), step(25), step(50), step(100, true)],
    mirrorPercent: 0,
    gates: [
      gate('errors', {
        value: 0.0013,
        limit: '≤ 1 %',
        unit: 'share',
        compared: 0.0009,
        samples: 1_524,
        needed: 300,
        confidence: 0.999,
        reason: 'at most 0.4 % at 95 %',
      }),
      gate('tail', {
        verdict: 'wait',
        value: 58.3,
        limit: '≤ 1.5 × 61 ms',
        unit: 'ms',
        compared: 61,
        samples: 240,
        needed: 300,
        confidence: 0.81,
        reason: '60 more requests are needed',
      }),
      gate('checkouts', {
        type: 'prometheus',
        verdict: 'no-data',
        limit: '≥ 1',
        needed: 1,
        reason: 'prometheus.example.com: connection refused',
      }),
    ],
    paused: null,
    hold: null,
    rollback: null,
    remainingMs: 192_000,
    next: 'in 3m12s at the earliest: 50 %, once tail and checkouts pass',
    drain: [],
    nativeName: 'original',
    startedAt: '2030-01-01T00:00:00.000Z',
    endedAt: null,
    events: [
      event('2030-01-01T00:00:00.000Z', 'started', 'orders moves from east/consul/dc1 to east/kubernetes/prod', 0, 'credential:ann'),
      event('2030-01-01T00:01:00.000Z', 'baseline-measured', '6,012 requests in 1m00s, 0.1 % errors, p99 61 ms', 0),
      event('2030-01-01T00:11:15.000Z', 'step-begun', '25 %', 25),
    ],
    specDigest: 'pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4',
    specChanged: false,
    leader: 'control-1',
    ...changes,
  };
}

/** All traffic has moved; one old endpoint is safe, one has callers from outside, one nobody can see. */
export function sampleDraining(): MigrationStatus {
  const { from, to } = sampleMigration();
  return sampleMigration({
    phase: 'draining',
    step: 4,
    from: { ...from, ...figures, weight: 0, measured: null },
    to: { ...to, weight: 100, measured: 100, requests: 12_040, errors: 3 },
    nativeName: 'switched',
    remainingMs: 420_000,
    next: 'vm-2 has a caller from outside the mesh: move it, or wait until it has gone',
    gates: [],
    drain: [
      {
        instance: 'vm-1',
        address: '10.1.0.4:8080',
        verdict: 'safe',
        since: '2030-01-01T01:10:00.000Z',
        meshStreams: 0,
        callers: [],
        reason: 'no connection from outside the mesh for 10m00s',
      },
      {
        instance: 'vm-2',
        address: '10.1.0.5:8080',
        verdict: 'in-use',
        since: null,
        meshStreams: 2,
        callers: [
          { address: '10.9.0.17', name: 'batch-host', connections: 3 },
          { address: '10.9.0.18', name: '', connections: 1 },
        ],
        reason: '2 callers from outside the mesh',
      },
      {
        instance: 'vm-3',
        address: '10.1.0.6:8080',
        verdict: 'unknown',
        since: null,
        meshStreams: null,
        callers: [],
        reason: 'no agent sees the sockets of that machine',
      },
    ],
  });
}

export function sampleReport(status: MigrationStatus): MigrationReport {
  const side = (requests: number, errors: number, p50: number): SideFigures => ({
    ...figures,
    requests,
    errors,
    p50,
    p90: p50 * 2,
    p99: p50 * 5,
    inFlight: 1,
  });
  const weights = [1, 5, 25];
  const minute = (m: number) => new Date(Date.UTC(2030, 0, 1, 0, m)).toISOString();
  return {
    status,
    baseline: side(6_012, 6, 11),
    steps: weights.map((weight, i) => ({
      weight,
      begunAt: minute(1 + 5 * i),
      endedAt: i === 2 ? null : minute(6 + 5 * i),
      outcome: i === 2 ? 'running' : 'passed',
      from: side(6_000 - 60 * weight, 5, 11),
      to: side(60 * weight, 0, 10),
      gates: status.gates,
    })),
    samples: Array.from({ length: 60 }, (_, i) => {
      const weight = i < 4 ? 0 : (weights[Math.floor((i - 4) / 20)] ?? 25);
      const asked = Math.round(500 * (weight / 100));
      const to = i === 30 ? { ...figures } : side(asked, i % 9 === 0 ? 1 : 0, 10 + (i % 3));
      return {
        at: new Date(Date.UTC(2030, 0, 1, 0, 0, 15 * i)).toISOString(),
        weight,
        measured: i === 30 ? null : weight + (i % 5) * 0.1,
        from: side(500 - asked, i % 7 === 0 ? 1 : 0, 11 + (i % 4)),
        to,
      };
    }),
    events: status.events,
    callers: [
      { source: 'spiffe://mesh.test/ns/shop/sa/web', cluster: 'east', from: 9_800, to: 1_420 },
      { source: 'spiffe://mesh.test/ns/isthmus-system/sa/gateway', cluster: 'east', from: 610, to: 104 },
    ],
  };
}

export function samplePlan(): MigrationPlan {
  return {
    ok: true,
    namespace: 'shop',
    name: 'orders-to-prod',
    document: {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'Migration',
      metadata: { name: 'orders-to-prod', namespace: 'shop' },
      spec: { service: 'orders', from: { registry: 'consul/dc1' }, to: { registry: 'kubernetes/prod' } },
    },
    yaml: 'apiVersion: isthmus.dev/v1alpha1\nkind: Migration\nmetadata: {name: orders-to-prod, namespace: shop}\nspec:\n  service: orders\n  from: {registry: consul/dc1}\n  to: {registry: kubernetes/prod}\n',
    checks: [
      { name: 'ports', ok: 'pass', message: 'both sides serve http on 8080', fix: '', path: '' },
      {
        name: 'capacity',
        ok: 'warn',
        message: 'kubernetes/prod has 3 endpoints, consul/dc1 4',
        fix: 'add one before 100 %',
        path: 'spec.to',
      },
    ],
    violations: [],
  };
}
