import type { TestContext } from 'node:test';

const stacks = new WeakMap<TestContext, (() => Promise<unknown> | unknown)[]>();

/**
 * What was made last ends first, as node:test's own hooks do not: a folder outlives who writes into it. Each runs even when another one
 * fails; the first failure is the test's.
 */
export function onEnd(t: TestContext, end: () => Promise<unknown> | unknown): void {
  const known = stacks.get(t);
  if (known !== undefined) {
    known.push(end);
    return;
  }
  const stack = [end];
  stacks.set(t, stack);
  t.after(async () => {
    const failures: unknown[] = [];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      try {
        await next();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  });
}
