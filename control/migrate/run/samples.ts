import type { Store } from '../../../core/store.ts';
import type { SampleRecord } from './contract.ts';
import { samplesKey } from './keys.ts';

/** What was kept of the newest run. Rejects with STORE_UNAVAILABLE. */
export async function readSamples(store: Store, id: string): Promise<SampleRecord | undefined> {
  const entry = await store.get(samplesKey(id));
  return entry === undefined ? undefined : (JSON.parse(Buffer.from(entry.value).toString('utf8')) as SampleRecord);
}
