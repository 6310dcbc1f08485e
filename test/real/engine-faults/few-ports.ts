import assert from 'node:assert/strict';
import { NodeEngine } from '../../../gateway/engine/node/node-engine.ts';
import { EngineHarness, endpoint } from '../../contract/engine/harness.ts';
import { makeNative } from '../../contract/engine/make-native.ts';
import { listenAt, passthroughTo } from '../../support/engine-faults/brief.ts';
import { EchoCaller, isServed } from '../../support/engine-faults/echo-caller.ts';
import { until } from '../../support/until.ts';

// Runs in a network of its own that has so few local ports (first argument) from which anything can be called; second: the engine.
const [, , count = '', name = ''] = process.argv;
const ports = Number(count);
const make = name === 'native' ? makeNative : (...args: ConstructorParameters<typeof NodeEngine>) => new NodeEngine(...args);
const harness = new EngineHarness(make);
const { engine, sockets, attempts, troubles, reports } = harness;
const echo = () => sockets.serve((socket) => socket.pipe(socket));
const [first, second] = [(await echo()).port, (await echo()).port];
harness.apply(passthroughTo([endpoint(first)]));
const port = await listenAt(harness, 'plain');
const results = (of: number) => attempts.filter(({ endpoint: at }) => at.port === of).map(({ result }) => result);

// Callers find ports of their own, as they call other addresses: only what the engine calls is one and the same.
const call = (last: number) => new EchoCaller({ port, address: `127.0.1.${last}` });
const callers = Array.from({ length: 2 * ports }, (_, i) => call(1 + Math.floor((2 * i) / ports)));
await until('each to be served or refused', () => callers.every(({ settled }) => settled));
const served = callers.filter((caller) => caller.served);
assert.ok(served.length >= ports / 2 && served.length <= ports, `${served.length} are served with ${ports} ports`);
await until('each refusal to be told of', () => reports.length === callers.length - served.length);
for (const { reason, detail, flags, count: of = 1 } of reports) {
  assert.deepEqual([reason, flags, of], ['upstream-shortage', ['UF'], 1]);
  assert.match(detail, new RegExp(`^connect EADDRNOTAVAIL 127.0.0.1:${first}`));
}
assert.equal(troubles[0]?.what, 'ports-exhausted');
assert.match(troubles[0]?.detail ?? '', /EADDRNOTAVAIL/);
// The native engine tells of what went well up to 200 ms later.
await until('word of an attempt that went well', () => results(first).includes('ok'));
assert.deepEqual(new Set(results(first)), new Set(['ok', 'shortage']), 'the endpoint is not said to have failed');
for (const caller of served) caller.say(Buffer.alloc(100_000, 7));
await until('those that have a port to be served', () => served.every((caller) => caller.served));

// To another endpoint there are ports.
harness.apply(passthroughTo([endpoint(first), endpoint(second)]));
await until('it to take the place', () => isServed({ port, address: '127.0.2.1' }));
const others = Array.from({ length: 10 }, () => new EchoCaller({ port, address: '127.0.2.2' }));
await until('all to be served', () => others.every((caller) => caller.served));
await until('word of each attempt there', () => results(second).filter((result) => result === 'ok').length >= others.length);

harness.apply(passthroughTo([endpoint(first)]));
await Promise.all([...served, ...others].map((caller) => caller.close()));
await until('nothing to be left open', () => engine.counters().open === 0);
await until('a port to be free again', () => isServed({ port, address: '127.0.3.1' }));
await until('nothing to be left open', () => engine.counters().open === 0);
await harness.close();
process.stdout.write(`${served.length} of ${callers.length}\n`);
