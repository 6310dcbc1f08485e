import { test } from 'node:test';
import { engines } from '../support/engine-faults/brief.ts';
import { inOwnNetwork } from './engine-faults/in-namespace.ts';

/** Of memory, bytes: the native engine keeps 64 MB for readers and 32 KB for each beyond that, Node's streams some chunks of 64 KB for each. */
const readers = 800;
const boundOf = { native: 2 ** 26 + readers * 2 ** 15 + 2 ** 23, node: readers * 6 * 2 ** 16 };
/** Sockets take much in and let little out, so that what was read has to be kept. */
const settings = { 'ipv4/tcp_rmem': '4096 524288 524288', 'ipv4/tcp_wmem': '4096 65536 65536' };
/** They take in no more than the engine does: all networks of a machine share the kernel's memory for TCP, and where that ends it resets other tests' connections. */
const small = { ...settings, 'ipv4/tcp_rmem': '4096 65536 65536' };
/** MB, of which each has a good half to begin with. */
const enough = { native: 96, node: 128 };

for (const engine of engines) {
  test(`engine ${engine}: ${readers} readers that stand still in the middle of streams cost a bounded amount of memory, and not a byte`, async (t) => {
    const cost = await inOwnNetwork('./stalled-readers.js', [engine, String(readers), String(boundOf[engine])], settings, 110_000);
    t.diagnostic(`${engine}: ${cost.trim()}`);
  });

  test(`engine ${engine}: near its memory limit it refuses new callers, says so, serves those it has, and recovers by itself`, async (t) => {
    const said = await inOwnNetwork('./short-memory.js', [engine, String(enough[engine])], small, 150_000);
    t.diagnostic(`${engine}: ${said.trim()}`);
  });
}
