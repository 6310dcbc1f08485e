import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { helloMessage, inRecords } from '../../support/client-hello-bytes.ts';
import { type EngineName, engines } from '../../support/engine-faults/brief.ts';
import { EchoCaller, isServed } from '../../support/engine-faults/echo-caller.ts';
import { GatewayProcess } from '../../support/engine-faults/gateway-process.ts';
import { TestSockets } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { GatewaySite, sniOf } from '../gateway/gateway-site.ts';

const spare = 40;

/** Of whom a service answers, which a caller of its own finds at `to`. */
async function gatewayOf(t: TestContext, engine: EngineName) {
  const sockets = new TestSockets();
  onEnd(t, () => sockets.close());
  const { port } = await sockets.serve((socket) => socket.pipe(socket));
  const site = await GatewaySite.start(t);
  site.serve({ passthrough: [port] });
  const gateway = GatewayProcess.start({ ...(await site.options()), token: await site.token(), engine });
  onEnd(t, () => gateway.stop());
  await until('it to listen', () => gateway.port > 0);
  const to = { port: gateway.port, hello: inRecords(helloMessage({ names: [sniOf('')] })) };
  await until('a caller to be served', () => isServed(to));
  return { gateway, to };
}

for (const engine of engines) {
  test(`a gateway with the engine ${engine} whose memory is short says in its log what to do, refuses new callers, and takes them again`, async (t) => {
    const { gateway, to } = await gatewayOf(t, engine);
    // With fewer it would take new ones all the same.
    const standing = Array.from({ length: 120 }, () => new EchoCaller(to));
    onEnd(t, () => Promise.all(standing.map((caller) => caller.close())));
    await until('the first to be served', () => standing.every((caller) => caller.served));
    await until('new callers to be refused', async () => {
      // Of such a limit 64 MB are kept free, and below 32 MB more than new callers would go. What it gives back meanwhile makes room again.
      await gateway.allowAddressSpace(36 * 2 ** 20);
      return !(await isServed(to));
    });
    const line = await until('the log to say so', () => gateway.lines.find(({ fields }) => fields?.['what'] === 'memory-short'));
    assert.match(String(line.fields?.['detail']), /^\d+ MB are left of the \d+ MB of the address space, and 64 MB are kept free$/);
    assert.match(line.line ?? '', /new connections are refused until there is room again; raise the limit/);
    for (const caller of standing) caller.say(Buffer.from('still here'));
    await until('those that were served to go on', () => standing.every((caller) => caller.served));
    await gateway.allowAddressSpace(2 ** 30);
    await until('the log to say that it is over', () =>
      gateway.lines.some(({ line }) => line === 'there is memory again: new connections are taken'),
    );
    assert.ok(await isServed(to));
  });

  test(`a gateway with the engine ${engine} and no descriptors left says in its log what to do, and recovers`, async (t) => {
    const { gateway, to } = await gatewayOf(t, engine);
    const atRest = await gateway.descriptors();
    await gateway.allowDescriptors(atRest + spare);

    const first = Array.from({ length: 5 }, () => new EchoCaller(to));
    onEnd(t, () => Promise.all(first.map((caller) => caller.close())));
    await until('those to be served for whom there is enough', () => first.every((caller) => caller.served));
    const callers = Array.from({ length: 3 * spare }, () => new EchoCaller(to));
    onEnd(t, () => Promise.all(callers.map((caller) => caller.close())));
    await until('each to be served or refused', () => callers.every(({ settled }) => settled));
    assert.ok(callers.some((caller) => !caller.served));
    const served = [...first, ...callers].filter((caller) => caller.served);
    for (const caller of first) caller.say(Buffer.from('still here'));
    await until('those that were served to go on', () => first.every((caller) => caller.served));
    const line = await until('the log to say so', () => gateway.lines.find(({ fields }) => fields?.['what'] === 'descriptors-exhausted'));
    assert.match(String(line.fields?.['detail']), /EMFILE/);
    assert.match(line.line ?? '', /no descriptor is left: .*raise the limit \(LimitNOFILE\)/);

    await Promise.all(served.map((caller) => caller.close()));
    await until('a new caller to be served', () => isServed(to));
    await until('descriptors to be free', async () => (await gateway.descriptors()) <= atRest + 4);
    for (let i = 0; i < 20; i++) assert.ok(await isServed(to), `caller ${i} after the shortage`);
  });
}
