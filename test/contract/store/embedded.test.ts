import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { put, write } from './harness.ts';
import { storeContract } from './suite.ts';

const history = { batches: 1000, bytes: 4 * 1024 * 1024 };

storeContract('embedded', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-store-'));
  let store = await openEmbeddedStore({ dir, clock: systemClock, history });
  t.after(async () => {
    await store.close();
    await rm(dir, { recursive: true });
  });
  return {
    store,
    async reopen() {
      await store.close();
      store = await openEmbeddedStore({ dir, clock: systemClock, history });
      return store;
    },
    async forgetHistory() {
      await Promise.all(Array.from({ length: history.batches }, (_, i) => write(store, put('filler', String(i)))));
    },
  };
});
