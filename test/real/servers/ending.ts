/** The part of node:test's context that is used here. */
interface AfterHook {
  after(end: () => Promise<void>): void;
}

/**
 * Collects what a test must end, and ends it last in, first out: servers before the network they run in. (node:test runs its
 * own after hooks first in, first out.) All are ended even when one fails; the first failure fails the test.
 */
export function endInReverse(t: AfterHook): (end: () => Promise<unknown>) => void {
  const ends: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    const failures: unknown[] = [];
    for (const end of ends.splice(0).reverse()) await end().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  });
  return (end) => void ends.push(end);
}
