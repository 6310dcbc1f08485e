import { MeshError } from '../../../core/errors.ts';
import type { Term } from '../../leadership/index.ts';
import { Alarm } from './alarm.ts';
import type { MigrationsOptions } from './contract.ts';
import { Driver } from './driver.ts';
import { stateKey } from './keys.ts';
import type { MigrationRecords } from './records.ts';
import { reservedOf } from './reserved.ts';

const lookAgainMs = 30_000;
const retryMs = 1_000;

interface Driven {
  readonly driver: Driver;
  readonly done: Promise<void>;
}

/** One driver for each migration, until the term is over. Rejects where another leads: the first driver that finds it ends them all. */
export async function lead(options: MigrationsOptions, records: MigrationRecords, term: Term): Promise<void> {
  const { clock, objects, log } = options;
  await records.load();
  const alarm = new Alarm();
  const drivers = new Map<string, Driven>();
  const failures: unknown[] = [];
  const ring = () => {
    for (const { driver } of drivers.values()) driver.wake();
    alarm.ring();
  };
  const begin = (id: string): Driven => {
    const driver = new Driver(id, options, records, term);
    const done = driver.run().then(
      () => void drivers.delete(id),
      (error: unknown) => void failures.push(error),
    );
    return { driver, done: done.finally(() => alarm.ring()) };
  };
  const undo = [records.subscribe(ring), objects.subscribe(ring)];
  try {
    while (!term.signal.aborted && failures.length === 0) {
      let waitMs = lookAgainMs;
      try {
        await reserveAll(options, records, term);
      } catch (error) {
        if (error instanceof MeshError && error.code === 'FENCED') throw error;
        log.warn({ error }, 'migrations that were applied could not be reserved; their new sides get nothing all the same, trying again');
        waitMs = retryMs;
      }
      for (const id of records.states().keys()) if (!drivers.has(id)) drivers.set(id, begin(id));
      await alarm.wait(waitMs, clock, term.signal);
    }
  } finally {
    for (const each of undo) each();
  }
  // What goes on elsewhere ends with the term, which ends with this.
  if (failures.length > 0) throw failures[0];
  await Promise.all([...drivers.values()].map(({ done }) => done));
}

/** What was applied and has no state yet. */
async function reserveAll({ objects, cluster }: MigrationsOptions, records: MigrationRecords, term: Term): Promise<void> {
  for (const [id, object] of objects.current() ?? []) {
    if (object === undefined || records.state(id) !== undefined) continue;
    const value = reservedOf(id, object, cluster);
    await records.write([{ key: stateKey(id), before: 0, value }], term.fence);
  }
}
