import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { sightBoardContract } from './sight-board-cases.ts';

sightBoardContract('embedded', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-sights-'));
  const store = await openEmbeddedStore({ dir, clock: systemClock });
  t.after(async () => {
    await store.close();
    await rm(dir, { recursive: true });
  });
  return { store, reopen: async () => store, forgetHistory: async () => {} };
});
