import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hurry } from '../../../gateway/forward/hurry.ts';

/** Requests of one endpoint, and what is being opened for them. */
class Endpoint {
  readonly hurry = new Hurry<string>();
  readonly opening: ((acquired: string) => void)[] = [];
  standing = 1;
  kept = 0;

  ask(signal = new AbortController().signal): Promise<string> {
    return this.hurry.enter({
      signal,
      gone: 'gone',
      standing: () => this.standing,
      open: async (served) => {
        const acquired = await new Promise<string>((resolve) => this.opening.push(resolve));
        if (served()) this.kept += 1;
        return acquired;
      },
      isUnreachable: (acquired) => acquired === 'unreachable',
    });
  }
}

test('a burst opens a few at once, and the rest as those are done; what is free goes to the one that waited longest', async () => {
  const endpoint = new Endpoint();
  const asked = Array.from({ length: 100 }, () => endpoint.ask());
  assert.equal(endpoint.opening.length, 16);
  endpoint.hurry.give('free');
  assert.equal(await asked[0], 'free');
  endpoint.opening[0]?.('own');
  endpoint.opening[1]?.('own');
  assert.equal(await asked[1], 'own');
  assert.equal(endpoint.kept, 1, 'the one of the request that was served by another');
  assert.equal(endpoint.opening.length, 18);
  for (let i = 2; i < endpoint.opening.length; i++) {
    endpoint.opening[i]?.('own');
    await new Promise(setImmediate);
  }
  assert.deepEqual(new Set(await Promise.all(asked.slice(1))), new Set(['own']));
  assert.equal(endpoint.hurry.waits, false);
});

test('who leaves waits no more, and the handshake begun for it serves another', async () => {
  const endpoint = new Endpoint();
  const caller = new AbortController();
  const asked = endpoint.ask(caller.signal);
  caller.abort();
  assert.equal(await asked, 'gone');
  endpoint.opening[0]?.('own');
  await new Promise(setImmediate);
  assert.deepEqual([endpoint.kept, endpoint.hurry.waits], [1, false]);
  assert.equal(await endpoint.ask(caller.signal), 'gone');
});

test('where nothing can be reached nobody waits for a try of its own', async () => {
  const endpoint = new Endpoint();
  const asked = Array.from({ length: 40 }, () => endpoint.ask());
  endpoint.opening[0]?.('unreachable');
  assert.deepEqual(new Set([await asked[0], ...(await Promise.all(asked.slice(16)))]), new Set(['unreachable']));
  assert.equal(endpoint.opening.length, 16);
  for (const each of endpoint.opening.slice(1)) each('own');
  assert.deepEqual(new Set(await Promise.all(asked.slice(1, 16))), new Set(['own']));
});

test('where nobody is given anything any more, each opens its own', () => {
  const endpoint = new Endpoint();
  for (let i = 0; i < 40; i++) void endpoint.ask();
  endpoint.hurry.openAll();
  assert.equal(endpoint.opening.length, 40);
});
