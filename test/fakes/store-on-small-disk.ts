import { openEmbeddedStore } from '../../control/store/index.ts';
import type { MeshError } from '../../core/errors.ts';
import { systemClock } from '../../core/system-clock.ts';

/**
 * A process whose files may not grow beyond what its starter allows (`ulimit -f`), which fails writes as a full disk does. Writes until it
 * is refused, shows that it still reads, then writes again and again until it may. Says each stage as a JSON line.
 */
// Without a handler the kernel ends a process that writes beyond its limit.
process.on('SIGXFSZ', () => undefined);
const [dir = ''] = process.argv.slice(2);
const say = (stage: string, fields: object): void => void process.stdout.write(`${JSON.stringify({ stage, ...fields })}\n`);
const store = await openEmbeddedStore({ dir, clock: systemClock });
const watched: number[] = [];
void (async () => {
  for await (const batch of store.watch('k/', 0, new AbortController().signal)) watched.push(batch.revision);
})().catch((error: MeshError) => say('watch ended', { code: error.code }));

let acknowledged = 0;
let failure: MeshError | undefined;
const put = (n: number) => store.txn({ if: [], then: [{ op: 'put', key: `k/${n}`, value: Buffer.alloc(8192, n % 256) }] });
while (failure === undefined) {
  await put(acknowledged).then(
    () => {
      acknowledged += 1;
    },
    (error: MeshError) => {
      failure = error;
    },
  );
}
const { entries, revision } = await store.list('k/');
say('full', {
  acknowledged,
  code: failure.code,
  retryable: failure.retryable,
  message: failure.message,
  readable: entries.length,
  revision,
});
for (let recovered = false; !recovered; ) {
  recovered = await put(1_000_000).then(
    () => true,
    () => systemClock.sleep(50).then(() => false),
  );
}
const after = await store.list('k/');
say('recovered', { readable: after.entries.length, revision: after.revision });
await store.close();
