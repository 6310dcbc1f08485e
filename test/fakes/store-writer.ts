import { openEmbeddedStore } from '../../control/store/index.ts';
import { systemClock } from '../../core/system-clock.ts';

/**
 * A process that writes to a store until it is killed. Says on standard output, synchronously and so before it can be killed over it, what
 * was acknowledged: `KEY REVISION` a line, after a first line `open REVISION`. Arguments: folder, a name for this life.
 */
const [dir = '', life = ''] = process.argv.slice(2);
const store = await openEmbeddedStore({ dir, clock: systemClock });
const { writeSync } = await import('node:fs');
writeSync(1, `open ${(await store.list('')).revision}\n`);

async function writer(name: string): Promise<never> {
  for (let i = 0; ; i++) {
    const key = `w/${life}/${name}/${i}`;
    const value = Buffer.alloc(1 + ((i * 997) % 3000), name);
    // Two keys together: never one without the other.
    const pair = [
      { op: 'put' as const, key, value },
      { op: 'put' as const, key: `pair/${key}`, value: Buffer.from(key) },
    ];
    const { revision } = await store.txn({ if: [{ key, modRevision: 0 }], then: pair });
    writeSync(1, `${key} ${revision}\n`);
  }
}

await Promise.all(['a', 'b', 'c', 'd'].map(writer));
