import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordWriter } from '../../../control/catalog/record-writer.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

/** A flush at each of the first microtasks after a write: one of them falls between the end of the write and that of its round. */
test('every flush is answered, whenever it is asked for, also while the writer stops', async () => {
  for (let turns = 0; turns < 30; turns++) {
    for (const stops of [false, true]) {
      const writer = new RecordWriter(new MemoryStore(), systemClock, assert.fail);
      writer.put('key', { turns });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const flushed = writer.flush();
      const ended = stops ? writer.stop() : Promise.resolve();
      const answered = await Promise.race([Promise.all([flushed, ended]).then(() => true), systemClock.sleep(1_000).then(() => false)]);
      assert.ok(answered, `${turns} turns later, ${stops ? 'stopping' : 'running'}`);
    }
  }
});
