import { readFile } from 'node:fs/promises';
import type { ControlHost } from '../scenario/isthmus-process.ts';
import type { CallerKind } from './callers.ts';

/** A time in which a proxy was connected to no control plane, and acted by what it had been told before. Unix ms. */
export interface Away {
  readonly from: number;
  /** Infinity: it did not come back. */
  readonly until: number;
}

/** A control plane that was killed. */
export interface Killed {
  readonly control: ControlHost;
  readonly at: number;
}

/** Who chooses for the callers of a kind: their own agent, or the gateway that stands for the service. */
const chooserOf: Readonly<Record<CallerKind, string>> = { isthmus: 'isthmus', envoy: 'envoy', plain: 'gw' };

interface Connected {
  readonly control: ControlHost;
  readonly at: number;
}

/** What the control planes have logged of the proxies that choose, and when whoever was connected to a killed one came to any again. */
export async function timesAway(
  controls: readonly ControlHost[],
  kills: readonly Killed[],
  kinds: Iterable<CallerKind>,
): Promise<ReadonlyMap<CallerKind, readonly Away[]>> {
  const away = new Map<CallerKind, readonly Away[]>();
  for (const kind of kinds) {
    const connected = (await Promise.all(controls.map((control) => connectionsTo(control, chooserOf[kind])))).flat();
    if (connected.length === 0) throw new Error(`no control plane has logged that ${chooserOf[kind]} connected`);
    const times = kills.flatMap(({ control, at }) => {
      const before = connected.filter((each) => each.at < at).sort((a, b) => b.at - a.at)[0];
      const next = Math.min(...connected.filter((each) => each.at > at).map((each) => each.at));
      return before?.control === control ? [{ from: at, until: next }] : [];
    });
    away.set(kind, times);
  }
  return away;
}

async function connectionsTo(control: ControlHost, instance: string): Promise<readonly Connected[]> {
  const log = await readFile(control.process.logFile, 'utf8');
  return log
    .split('\n')
    .filter((line) => line.includes('xDS client connected') && line.includes(`#${instance}"`))
    .map((line) => ({ control, at: new Date((JSON.parse(line) as { time: number | string }).time).getTime() }));
}
