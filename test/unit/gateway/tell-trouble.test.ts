import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { silentLog } from '../../../core/log.ts';
import { troubleTeller } from '../../../gateway/telemetry/tell-trouble.ts';

test('each trouble is a line that says what to do, and counts for all engines of a process together', async () => {
  const registry = new Registry();
  const lines: [unknown, string][] = [];
  const log = { ...silentLog, error: (fields: unknown, message: string) => void lines.push([fields, message]) };
  const [one, other] = [troubleTeller(log, registry), troubleTeller(log, registry)];
  one('descriptors-exhausted', 'EMFILE');
  other('descriptors-exhausted', 'EMFILE');
  other('internal', 'a defect');
  assert.deepEqual(
    lines.map(([fields]) => fields),
    [
      { what: 'descriptors-exhausted', detail: 'EMFILE' },
      { what: 'descriptors-exhausted', detail: 'EMFILE' },
      { what: 'internal', detail: 'a defect' },
    ],
  );
  assert.match(lines[0]?.[1] ?? '', /raise the limit \(LimitNOFILE\)/);
  const text = await registry.metrics();
  assert.match(text, /isthmus_engine_troubles_total\{what="descriptors-exhausted"\} 2\n/);
  assert.match(text, /isthmus_engine_troubles_total\{what="internal"\} 1\n/);
});
