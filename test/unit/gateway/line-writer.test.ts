import assert from 'node:assert/strict';
import test from 'node:test';
import { LineWriter } from '../../../gateway/telemetry/line-writer.ts';
import { until } from '../../support/until.ts';

const again = () => Object.assign(new Error('not now'), { code: 'EAGAIN' });

test('lines are written a few at a time, whole and in order, whatever parts a pipe takes', async () => {
  const written: Buffer[] = [];
  let calls = 0;
  const lines = new LineWriter((bytes) => {
    calls += 1;
    if (calls % 3 === 0) throw again();
    const part = bytes.subarray(0, Math.max(1, Math.floor(bytes.length * 0.7)));
    written.push(Buffer.from(part));
    return part.length;
  });
  const said = Array.from({ length: 2_000 }, (_, i) => `{"n":${i},"text":"ü ${'x'.repeat(i % 90)}"}`);
  for (const line of said) lines.add(line);
  const text = () => Buffer.concat(written).toString();
  await until('all of it', () => text().split('\n').length === said.length + 1);
  assert.deepEqual(text().trimEnd().split('\n'), said);
  assert.ok(calls < said.length / 4, `${calls} calls`);
});

test('a line that is alone is written soon; what nobody reads is bounded; what cannot be written is lost', async () => {
  const written: string[] = [];
  const alone = new LineWriter((bytes) => written.push(bytes.toString()) && bytes.length);
  alone.add('one');
  await until('written', () => written.length === 1);
  assert.deepEqual(written, ['one\n']);
  let refused = 0;
  let open = false;
  const full = new LineWriter((bytes) => {
    if (!open) throw again();
    refused = bytes.length;
    return bytes.length;
  });
  for (let i = 0; i < 6_000; i++) full.add('y'.repeat(1_000));
  open = true;
  full.flush();
  assert.ok(refused > 4_000_000 && refused < 4_300_000, String(refused));
  const broken = new LineWriter(() => {
    throw Object.assign(new Error('gone'), { code: 'EPIPE' });
  });
  broken.add('lost');
  broken.flush();
});
