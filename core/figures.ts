import type { DrainEndpoint } from './admin/index.ts';

/** 1,524,000. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Three digits that say something, and no more than they need: `0.13`, `58.3`, `1,524`. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 1000 ? count(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** `25 %`; `-`: not known. */
export function percent(value: number | null): string {
  return value === null ? '-' : `${rounded(value)} %`;
}

/** `unit`: as GateStatus has it; a share is told in percent. `-`: not known. */
export function withUnit(value: number | null, unit: string): string {
  if (value === null) return '-';
  if (unit === 'share') return percent(100 * value);
  return `${rounded(value)}${unit === '' ? '' : ` ${unit}`}`;
}

/** One row an endpoint of an old side: address, instance, verdict, since, streams of the mesh, why. */
export function drainRows(drain: readonly DrainEndpoint[]): string[][] {
  return drain.map(({ address, instance, verdict, since, meshStreams, reason }) => [
    address,
    instance,
    verdict,
    since ?? '-',
    meshStreams === null ? '-' : count(meshStreams),
    reason,
  ]);
}

/** One row a caller: endpoint, address, name, connections. */
export function drainCallerRows(drain: readonly DrainEndpoint[]): string[][] {
  return drain.flatMap(({ address, callers }) =>
    callers.map((caller) => [address, caller.address, caller.name === '' ? '-' : caller.name, count(caller.connections)]),
  );
}
