import { isIP } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { type ServiceKey, serviceKey } from '../../core/model/index.ts';
import type { PlaintextReport, PlaintextReports as Said } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { instanceIdOf, type RegisteredInstance } from '../../registries/vm/index.ts';

/** What one instance has counted at one exposed port since it began to count. Times are Unix ms, by this clock. */
export interface PlaintextSeen {
  readonly service: ServiceKey;
  /** The service port. */
  readonly port: number;
  readonly instance: string;
  /** Since when it counts without a gap. */
  readonly since: number;
  /** In the clear: connections let in, those refused by STRICT, and requests. */
  readonly letIn: number;
  readonly refused: number;
  readonly requests: number;
  readonly mtls: number;
  readonly mtlsRequests: number;
  readonly callers: readonly PlaintextCallerSeen[];
  /** At least. */
  readonly moreCallers: number;
}

export interface PlaintextCallerSeen {
  readonly address: string;
  readonly letIn: number;
  readonly refused: number;
  readonly lastAt: number;
}

const mostCallers = 64;
/** For so long somebody who called before an agent started anew still counts as having called; and an agent that is silent longer is gone. */
const keptMs = 2 * 3_600_000;

interface Kept extends PlaintextSeen {
  readonly generation: number;
  /** A report with the same count is a repeated one, and as old as when it first came. */
  readonly countingMs: number;
  readonly heardAt: number;
}

/** Who called services of this cluster in the clear, by the word of the agents that this replica hears. */
export class PlaintextReports {
  readonly #clock: Clock;
  readonly #known = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What is of no service that the instance has exposed is left out; a machine says nothing of others. */
  take(key: string, record: RegisteredInstance, { services }: Said): void {
    if (record.role !== 'workload') return;
    const now = this.#clock.now();
    for (const { namespace, name, port, expose } of record.services) {
      const said = services.find((each) => each.namespace === namespace && each.name === name && each.port === port);
      if (said === undefined || expose === undefined) continue;
      const id = `${key} ${namespace}/${name}:${port}`;
      this.#known.set(id, kept(said, this.#known.get(id), record, now));
    }
    this.#forget(now);
  }

  seen(): readonly PlaintextSeen[] {
    this.#forget(this.#clock.now());
    return [...this.#known.values()];
  }

  #forget(now: number): void {
    for (const [id, { heardAt }] of this.#known) if (now - heardAt > keptMs) this.#known.delete(id);
  }
}

function kept(said: PlaintextReport, before: Kept | undefined, record: RegisteredInstance, now: number): Kept {
  const { generation } = record;
  const countingMs = whole(said.countingMs);
  const goesOn = before !== undefined && before.generation === generation && before.countingMs <= countingMs;
  if (goesOn && before.countingMs === countingMs) return { ...before, heardAt: now };
  const callers = said.callers.slice(0, mostCallers).map(({ address, letIn, refused, idleMs }) => ({
    address: isIP(address) === 0 ? '?' : address,
    letIn: whole(letIn),
    refused: whole(refused),
    lastAt: now - whole(idleMs),
  }));
  // Of an earlier start they were seen all the same.
  const again = new Set(callers.map(({ address }) => address));
  const earlier = (before?.callers ?? []).filter(({ address, lastAt }) => !again.has(address) && (goesOn || now - lastAt < keptMs));
  const all = [...callers, ...earlier].sort((a, b) => b.lastAt - a.lastAt);
  return {
    service: serviceKey(said.namespace, said.name),
    port: said.port,
    instance: instanceIdOf(record),
    generation,
    countingMs,
    heardAt: now,
    since: goesOn ? before.since : now - countingMs,
    letIn: whole(said.letIn),
    refused: whole(said.refused),
    requests: whole(said.requests),
    mtls: whole(said.mtls),
    mtlsRequests: whole(said.mtlsRequests),
    callers: all.slice(0, mostCallers),
    moreCallers: whole(said.moreCallers) + Math.max(0, all.length - mostCallers),
  };
}

/** It comes from a machine, and goes into figures. */
function whole(value: number): number {
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
