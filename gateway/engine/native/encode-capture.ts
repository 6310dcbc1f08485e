import type { CaptureRule } from '../capture-contract.ts';
import type { NativeCaptureRule } from './messages.ts';

/** Pure. */
export function encodeCapture({ byDestination, closed }: CaptureRule): NativeCaptureRule {
  return { byDestination: Object.fromEntries(byDestination), closed };
}

/** Asked at each change of the tables, of rules with thousands of destinations: neither becomes text for it. */
export function sameCapture(a: NativeCaptureRule, b: NativeCaptureRule): boolean {
  const [before, now] = [Object.entries(a.byDestination), b.byDestination];
  if (before.length !== Object.keys(now).length || a.closed.length !== b.closed.length) return false;
  return before.every(([to, name]) => now[to] === name) && a.closed.every((cidr, at) => cidr === b.closed[at]);
}
