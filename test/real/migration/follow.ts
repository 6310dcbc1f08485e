import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { MigrationEvent, MigrationPhase, MigrationReport, MigrationStatus } from '../../../core/admin/index.ts';
import type { ControlHost } from '../scenario/isthmus-process.ts';
import { intervalMs, type MigrationWritten, migrationOf } from './objects.ts';

/** One run of the migration, by the commands that its operator has. */
export class Run {
  /** What was seen, a status for each look. */
  readonly seen: MigrationStatus[] = [];
  /** By weight: when it was first seen that all callers have the one of the step that runs, Unix ms. */
  readonly inForce: Map<number, number>;
  readonly #control: ControlHost;
  /** NAMESPACE/NAME. */
  readonly #name: string;

  private constructor(control: ControlHost, name: string, inForce = new Map<number, number>()) {
    this.inForce = inForce;
    this.#control = control;
    this.#name = name;
  }

  /** Applies the object, and starts it. */
  static async start(control: ControlHost, written: MigrationWritten = {}): Promise<Run> {
    const name = written.name ?? 'orders';
    const file = join(control.process.folder, `${name}.yaml`);
    await writeFile(file, migrationOf(written));
    await control.run('migrate', 'start', '-f', file);
    return new Run(control, `shop/${name}`);
  }

  /** The same, seen by another replica. */
  by(control: ControlHost): Run {
    return new Run(control, this.#name, this.inForce);
  }

  async status(): Promise<MigrationStatus> {
    const status = JSON.parse(await this.#control.run('migrate', 'status', this.#name, '--output', 'json')) as MigrationStatus;
    this.seen.push(status);
    const { weight } = status.to;
    if (isInForce(status) && !this.inForce.has(weight)) this.inForce.set(weight, Date.now());
    return status;
  }

  async report(): Promise<MigrationReport> {
    return JSON.parse(await this.#control.run('migrate', 'report', this.#name, '--output', 'json')) as MigrationReport;
  }

  /** Looks about once a second, and forgives that a control plane is away. */
  async until(what: string, is: (status: MigrationStatus) => boolean, timeoutMs = 120_000): Promise<MigrationStatus> {
    const deadline = performance.now() + timeoutMs;
    let problem = '';
    for (;;) {
      try {
        const status = await this.status();
        if (is(status)) return status;
        problem = describe(status);
      } catch (error) {
        problem = (error as Error).message;
      }
      if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}; last seen: ${problem}`);
      await delay(700);
    }
  }

  phase(phase: MigrationPhase, timeoutMs?: number): Promise<MigrationStatus> {
    return this.until(`the phase ${phase}`, (status) => status.phase === phase, timeoutMs);
  }

  weight(weight: number): Promise<MigrationStatus> {
    return this.until(`the weight ${weight}`, (status) => status.to.weight >= weight);
  }
}

/** Nothing is lacking in a look at the step itself: gates of the look that began it are of the one before, and what is left counts down by an interval between looks. */
function isInForce({ phase, step, steps, gates, remainingMs }: MigrationStatus): boolean {
  const bakeMs = steps[step]?.bakeMs ?? 0;
  const looked = phase === 'stepping' && remainingMs !== null && remainingMs < bakeMs - intervalMs;
  return looked && gates.length > 0 && gates.every(({ verdict }) => verdict !== 'no-data');
}

/** What a person needs who reads of a failed test. */
export function describe({ phase, step, to, hold, rollback, gates, next, events }: MigrationStatus): string {
  const judged = gates.map(({ name, verdict, reason }) => `${name} ${verdict} (${reason})`).join('; ');
  const told = events.map(({ type, weight, message }) => `${type}@${weight}: ${message}`).join('\n  ');
  return `${phase}, step ${step}, weight ${to.weight}, hold ${hold?.reason}, rollback ${rollback?.reason}; ${judged}; next: ${next}\n  ${told}`;
}

/** Events of one type, oldest first. */
export function eventsOf({ events }: Pick<MigrationReport, 'events'>, type: string): readonly MigrationEvent[] {
  return events.filter((event) => event.type === type);
}
