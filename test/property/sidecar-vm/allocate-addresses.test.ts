import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadAddresses, saveAddresses } from '../../../sidecar-vm/redirect/address-file.ts';
import { allocateAddresses, emptyAddressTable, restMs } from '../../../sidecar-vm/redirect/allocate-addresses.ts';

const hosts = fc.uniqueArray(fc.constantFrom(...'abcdefghij'.split('').map((c) => `${c}.shop.mesh.internal`)));
const steps = fc.array(fc.record({ hosts, afterMs: fc.integer({ min: 0, max: 2 * restMs }) }), { maxLength: 12 });

test('an address is stable while wanted, unique, in 127.64.0.0/10, and rests 24 h before another service gets it', () => {
  fc.assert(
    fc.property(steps, (run) => {
      let table = emptyAddressTable;
      let now = 0;
      const lastUse = new Map<string, { host: string; until: number }>();
      for (const step of run) {
        now += step.afterMs;
        const before = table;
        const result = allocateAddresses(table, step.hosts, now);
        table = result.table;
        assert.deepEqual(result.exhausted, []);
        assert.deepEqual([...table.assigned.keys()].sort(), [...step.hosts].sort());
        assert.equal(new Set(table.assigned.values()).size, table.assigned.size);
        for (const [host, address] of before.assigned) if (step.hosts.includes(host)) assert.equal(table.assigned.get(host), address);
        for (const [host, address] of before.assigned) if (!step.hosts.includes(host)) lastUse.set(address, { host, until: now });
        for (const [host, address] of table.assigned) {
          const [a, b] = address.split('.').map(Number);
          assert.ok(a === 127 && (b ?? 0) >= 64 && (b ?? 0) < 128, address);
          const previous = lastUse.get(address);
          if (previous?.host === host) lastUse.delete(address);
          else if (previous !== undefined && !before.assigned.has(host))
            assert.ok(now - previous.until >= restMs, `${address} reused too early`);
        }
      }
    }),
  );
});

test('a service that comes back while its address rests gets it again', () => {
  const first = allocateAddresses(emptyAddressTable, ['a', 'b'], 0).table;
  const without = allocateAddresses(first, ['b'], 1).table;
  const back = allocateAddresses(without, ['a', 'b', 'c'], restMs).table;
  assert.deepEqual([back.assigned.get('a'), back.assigned.get('b')], [first.assigned.get('a'), first.assigned.get('b')]);
  assert.equal(back.freed.size, 0);
});

test('the table survives on disk, owner-only, and a damaged file is told apart from none', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-addresses-'));
  try {
    const path = join(dir, 'addresses.json');
    assert.deepEqual(await loadAddresses(path), { table: emptyAddressTable, damaged: false });
    const { table } = allocateAddresses(emptyAddressTable, ['a', 'b'], 5);
    const later = allocateAddresses(table, ['a'], 6).table;
    await saveAddresses(path, later);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual((await loadAddresses(path)).table, later);
    await writeFile(path, '{"assigned": {}, "freed": {"127.64.0.9": 5}}');
    assert.deepEqual((await loadAddresses(path)).table.freed, new Map([['127.64.0.9', { at: 5, host: '' }]]));
    await writeFile(path, '{"assigned": {"a": "not an address"');
    assert.equal((await loadAddresses(path)).damaged, true);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
