import { test } from 'node:test';
import { engines } from '../support/engine-faults/brief.ts';
import { withstandHalfOpen } from '../support/engine-faults/half-open.ts';

// 20,000 descriptors for each process: of this one, and of the engine's.
for (const engine of engines) {
  test(
    `engine ${engine}: 15,000 callers with half a hello: others are served, limits hold, and all is as before when their time is over`,
    {
      timeout: 300_000,
    },
    (t) => withstandHalfOpen(t, engine, { halfOpen: 15_000, perSource: 750, helloTimeoutMs: 40_000, honestMs: 5_000 }),
  );
}
