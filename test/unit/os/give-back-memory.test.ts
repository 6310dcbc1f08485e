import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cleanMappings } from '../../../core/os/clean-mappings.ts';
import { giveBackMemory } from '../../../core/os/index.ts';

const part = (head: string, anonymous: number, swap = 0) =>
  `${head}\nSize:               100 kB\nRss:                 80 kB\nAnonymous:       ${String(anonymous).padStart(8)} kB\nSwap:            ${String(swap).padStart(8)} kB\nVmFlags: rd ex mr mw me\n`;

test('what is let go of is the program alone, where it is read or run, and no page is the process’s own', () => {
  const node = '/opt/isthmus/bin/node';
  const smaps = [
    part(`00400000-00746000 r--p 00000000 fe:00 17                         ${node}`, 0),
    part(`0074a000-03044000 r-xp 0034a000 fe:00 17                         ${node}`, 0),
    part(`03200000-03201000 r-xp 02e00000 fe:00 17                         ${node}`, 4),
    part(`06b52000-06b56000 r--p 06751000 fe:00 17                         ${node}`, 16),
    part(`06b56000-06b57000 r--p 06755000 fe:00 17                         ${node}`, 0, 4),
    part(`06b56000-06b7c000 rw-p 06755000 fe:00 17                         ${node}`, 0),
    part(`07000000-07001000 r-xs 00000000 fe:00 17                         ${node}`, 0),
    part('08000000-08001000 r-xp 00000000 00:00 0', 0),
    part(`7f0000000000-7f0000001000 r-xp 00000000 fe:00 18                 ${node} (deleted)`, 0),
    part('7fff0000a000-7fff0000b000 r-xp 00000000 00:00 0                  [vdso]', 0),
    part('7f0000002000-7f0000003000 r-xp 00000000 fe:00 19                 /lib/libc.so.6', 0),
  ].join('');
  assert.deepEqual(
    cleanMappings(smaps, node).map(({ at, length }) => [at.toString(16), Number(length)]),
    [
      ['400000', 0x346000],
      ['74a000', 0x28fa000],
    ],
  );
  assert.deepEqual(cleanMappings('', node), []);
});

test('memory that is given back leaves a process that goes on as before, and with less of the program in memory', () => {
  const resident = () => Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const work = () =>
    createHash('sha256')
      .update(JSON.stringify(new Intl.DateTimeFormat('de').format(0)))
      .digest('hex');
  const [said, before] = [work(), resident()];
  giveBackMemory();
  const after = resident();
  assert.equal(work(), said);
  assert.ok(after < before * 0.8, `${before} kB, then ${after} kB`);
});
