import type { Store } from '../../../core/store.ts';
import type { SampleRecord } from './contract.ts';
import { samplesKey } from './keys.ts';

/** What was kept of the newest run; what nobody can read is nothing, as it must not hold up what it tells of. Rejects with STORE_UNAVAILABLE. */
export async function readSamples(store: Store, id: string): Promise<SampleRecord | undefined> {
  const entry = await store.get(samplesKey(id));
  if (entry === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(entry.value).toString('utf8')) as SampleRecord;
  } catch {
    return undefined;
  }
}
