import { join } from 'node:path';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { objectsContract } from './suite.ts';

objectsContract('embedded', async (t) => {
  const store = await openEmbeddedStore({ dir: join(await temporaryDir(t), 'store'), clock: systemClock });
  onEnd(t, () => store.close());
  return [store, store];
});
