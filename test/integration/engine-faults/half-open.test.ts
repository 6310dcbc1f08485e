import { test } from 'node:test';
import { engines } from '../../support/engine-faults/brief.ts';
import { withstandHalfOpen } from '../../support/engine-faults/half-open.ts';

for (const engine of engines) {
  test(`engine ${engine}: 1,500 callers with half a hello: others are served, limits hold, and all is as before when their time is over`, (t) =>
    withstandHalfOpen(t, engine, { halfOpen: 1_500, perSource: 150, helloTimeoutMs: 20_000, honestMs: 10_000 }));
}
