import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { reportFiles } from '../../../control/migrate/report/index.ts';
import { niceTicks, svgPlot } from '../../../control/migrate/report/svg-plot.ts';
import { between } from '../../../control/migrate/report/words.ts';
import type { MigrationReport } from '../../../core/admin/index.ts';
import { sampleDraining, sampleMigration, sampleReport } from '../../support/migration-samples.ts';

function fileOf(report: MigrationReport, extension: string): string {
  return reportFiles(report).find((each) => each.name.endsWith(extension))?.text ?? '';
}

/** Names and attributes as XML has them, every element closed by its own name, and no other use of `<` and `&`. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  const rest = xml
    .trim()
    .replaceAll(/<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*) ?(\/?)>/g, (_, closes: string, name: string, _attributes, empty: string) => {
      if (closes === '/') assert.equal(open.pop(), name);
      else if (empty === '') open.push(name);
      return '';
    });
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest.replaceAll(/&(amp|lt|gt);/g, ''), /[<>&]/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those that XML does not have.
  assert.doesNotMatch(xml, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
}

test('whatever people and callers are called, the picture is well-formed XML', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (name, label) => {
      const status = sampleMigration({ service: name, rollback: { reason: label, at: '2030-01-01T00:14:00.000Z', fromWeight: 25 } });
      assertWellFormed(fileOf(sampleReport(status), '.svg'));
      const points = [{ atMs: 0, value: 1 }];
      const series = [{ label, colour: '#000', thin: false, stepped: false, points }];
      assertWellFormed(
        svgPlot({ title: label, endMs: 1000, moments: [{ atMs: 5, label: name, bad: true }], panels: [{ label: name, least: 1, series }] }),
      );
    }),
  );
});

test('no figure leaves its panel, whatever was measured', () => {
  const value = fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: null });
  fc.assert(
    fc.property(fc.array(value, { maxLength: 50 }), fc.integer({ min: 0, max: 1e9 }), (values, endMs) => {
      const points = values.map((each, i) => ({ atMs: (i * endMs) / 50, value: each }));
      const series = [{ label: 'a', colour: '#000', thin: true, stepped: false, points }];
      const svg = svgPlot({ title: '', endMs, moments: [], panels: [{ label: '', least: 1, series }] });
      assertWellFormed(svg);
      const path = /<path d="([^"]*)"/.exec(svg)?.[1] ?? '';
      for (const [, x = '', y = ''] of path.matchAll(/[ML]([0-9.e+-]+) ([0-9.e+-]+)/g)) {
        if (path === 'M0 0') continue;
        assert.ok(Number(x) >= 70 && Number(x) <= 940 && Number(y) >= 62 && Number(y) <= 212, `${x} ${y}`);
      }
    }),
  );
});

test('ticks reach the largest value, are few, and begin with 0', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e12, noNaN: true }), (max) => {
      const ticks = niceTicks(max);
      assert.ok((ticks.at(-1) ?? 0) >= max * 0.999 && ticks.length >= 3 && ticks.length <= 6, `${max}: ${ticks.join()}`);
      assert.equal(ticks[0], 0);
    }),
  );
});

test('others words are text in Markdown: no cell, line, link or tag of theirs begins or ends', () => {
  const nasty = 'a | b\n## c <script>x</script> [d](http://e) `f` *g* \\| ![h](i)';
  const base = sampleReport(sampleDraining());
  const plain = fileOf({ ...base, callers: [{ source: 'web', cluster: 'east', from: 1, to: 1 }] }, '.md');
  const { drain } = base.status;
  const callers = [{ source: nasty, cluster: nasty, from: 1, to: 1 }];
  const hostile = { ...base, callers, status: { ...base.status, drain: drain.map((each) => ({ ...each, reason: nasty })) } };
  const text = fileOf(hostile, '.md');
  const shape = (markdown: string) => markdown.split('\n').map((line) => (line.match(/(?<!\\)\|/g) ?? []).length);
  assert.deepEqual(shape(text), shape(plain));
  assert.doesNotMatch(text, /<script|(?<!\\)\[d|(?<!\\)`f|(?<!\\)!\[h/);
});

test('an endpoint that is not known to be safe is never called so', () => {
  const text = fileOf(sampleReport(sampleDraining()), '.md');
  assert.match(text, /2 of 3 endpoints must not be switched off/);
  assert.doesNotMatch(text, /Every endpoint is safe/);
  const { drain } = sampleDraining();
  const safe = sampleReport({ ...sampleDraining(), drain: drain.slice(0, 1) });
  assert.match(fileOf(safe, '.md'), /Every endpoint is safe to switch off/);
});

test('the JSON is the report itself', () => {
  const report = sampleReport(sampleMigration());
  assert.deepEqual(JSON.parse(fileOf(report, '.json')), report);
});

test('how long it took, in its two largest parts', () => {
  const start = '2030-01-01T00:00:00.000Z';
  const after = (ms: number) => between(start, new Date(Date.parse(start) + ms).toISOString());
  assert.deepEqual([0, 999, 45_000, 60_000, 3_725_000, 90_000_000, 864_000_000].map(after), [
    '0s',
    '0s',
    '45s',
    '1m',
    '1h 2m',
    '1d 1h',
    '10d',
  ]);
  assert.equal(between(start, null), '-');
});
