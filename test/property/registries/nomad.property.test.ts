import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readLines } from '../../../registries/nomad/read-lines.ts';
import { parseAllocations, parseEventLine, parseRegistrations } from '../../../registries/nomad/schema.ts';
import { NomadState } from '../../../registries/nomad/state.ts';
import { translateService } from '../../../registries/nomad/translate.ts';
import { NomadState as Server } from '../../fakes/nomad-state.ts';
import { rulesWith } from '../../unit/registry/records.ts';

type Op =
  | { kind: 'register'; id: string; service: string; port: number }
  | { kind: 'deregister'; id: string }
  | { kind: 'allocation'; id: string; status: string };

const ids = fc.constantFrom('a', 'b', 'c');
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({
    kind: fc.constant('register' as const),
    id: ids,
    service: fc.constantFrom('web', 'api'),
    port: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ kind: fc.constant('deregister' as const), id: ids }),
  fc.record({
    kind: fc.constant('allocation' as const),
    id: ids,
    status: fc.constantFrom('pending', 'running', 'complete', 'unknown'),
  }),
);

function change(server: Server, o: Op): void {
  if (o.kind === 'register') server.register({ ID: o.id, ServiceName: o.service, Port: o.port });
  else if (o.kind === 'deregister') server.deregister(o.id);
  else server.setAllocation(`alloc-${o.id}`, { ClientStatus: o.status });
}

function readLists(state: NomadState, server: Server): void {
  const allocations = server.read('/v1/allocations', '*');
  state.setAllocations(parseAllocations(allocations?.body) ?? [], allocations?.index ?? 0);
  const all = parseRegistrations([...server.registrations.values()]) ?? [];
  state.setRegistrations(all, server.tables.services, new Map(all.map((r) => [`${r.Namespace}/${r.ServiceName}`, server.tables.services])));
}

const endpoints = (state: NomadState): string[] =>
  state
    .services()
    .flatMap((s) => translateService(state.instancesOf(s), rulesWith(), '', 1).parts)
    .flatMap((p) => p.record.endpoints.map((e) => `${p.record.name} ${e.instance} ${JSON.stringify(e.ports)} ${e.health}`))
    .sort();

test('lists read at any moment, then the events since any earlier one, lead to what the server has', () => {
  fc.assert(
    fc.property(fc.array(op), fc.nat(), fc.nat(), (ops, readAfter, replayFrom) => {
      const server = new Server();
      const state = new NomadState();
      const at = ops.length === 0 ? 0 : readAfter % ops.length;
      let toldByThen = 0;
      for (const [i, o] of ops.entries()) {
        if (i === at) {
          readLists(state, server);
          toldByThen = server.events.length;
        }
        change(server, o);
      }
      const from = replayFrom % (toldByThen + 1);
      for (const event of server.events.slice(from)) {
        for (const parsed of parseEventLine({ Events: [event] }).Events ?? []) state.apply(parsed);
      }
      const fresh = new NomadState();
      readLists(fresh, server);
      assert.deepEqual(endpoints(state), endpoints(fresh));
    }),
  );
});

test('replaying the whole history onto the lists changes nothing at any step', () => {
  fc.assert(
    fc.property(fc.array(op), (ops) => {
      const server = new Server();
      for (const o of ops) change(server, o);
      const state = new NomadState();
      readLists(state, server);
      const expected = endpoints(state);
      for (const event of server.events) {
        for (const parsed of parseEventLine({ Events: [event] }).Events ?? []) state.apply(parsed);
        assert.deepEqual(endpoints(state), expected);
      }
    }),
  );
});

test('a stream reads the same however it is cut into chunks', async () => {
  const lines = fc.array(fc.oneof(fc.constant({}), fc.record({ Index: fc.nat(), text: fc.string({ unit: 'grapheme' }) })));
  await fc.assert(
    fc.asyncProperty(lines, fc.array(fc.integer({ min: 1, max: 40 })), async (values, sizes) => {
      const bytes = Buffer.from(values.map((v) => `${JSON.stringify(v)}\n`).join(''));
      async function* chunks() {
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % Math.max(1, sizes.length)] ?? bytes.length;
          yield bytes.subarray(at, at + size);
          at += size;
        }
      }
      const read: unknown[] = [];
      for await (const line of readLines(chunks())) read.push(line);
      assert.deepEqual(
        read.map((v) => JSON.stringify(v)),
        values.map((v) => JSON.stringify(v)),
      );
    }),
  );
});

test('an endless line and a line that is no JSON end the stream with a code', async () => {
  async function* endless() {
    for (;;) yield Buffer.from('x'.repeat(1_000));
  }
  async function* garbage() {
    yield Buffer.from('{}\n<html>\n');
  }
  const drain = async (body: AsyncIterable<Buffer>) => {
    for await (const _ of readLines(body, 10_000));
  };
  await assert.rejects(drain(endless()), { code: 'LIMIT_EXCEEDED' });
  await assert.rejects(drain(garbage()), { code: 'PROTOCOL_ERROR' });
});
