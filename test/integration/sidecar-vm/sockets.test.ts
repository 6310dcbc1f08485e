import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { readTable } from '../../../core/os/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { ProcHolders, SocketWatcher } from '../../../sidecar-vm/sockets/index.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const skip = process.platform === 'linux' ? false : 'the socket table is Linux’s';

async function program(t: TestContext, code: string): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  onEnd(t, async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const [said] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
}

function watcher(t: TestContext, appPort: number) {
  const service = { namespace: 'shop', name: 'orders', port: 80, protocol: 'tcp', appAddress: '127.0.0.1', appPort } as const;
  const health = { probe: { kind: 'tcp' }, intervalMs: 1_000, timeoutMs: 1_000, healthy: 1, unhealthy: 2 } as const;
  const watching = new SocketWatcher({
    services: [{ ...service, health }],
    address: '192.0.2.1',
    pids: () => [process.pid],
    read: readTable,
    holders: new ProcHolders(),
    clock: systemClock,
    onReport: () => {},
  });
  const stop = new AbortController();
  const running = watching.run(stop.signal);
  onEnd(t, async () => {
    stop.abort();
    await running;
  });
  return watching;
}

const app = 'const s=require("net").createServer(c=>c.on("error",()=>{}));s.listen(0,"127.0.0.1",()=>console.log(s.address().port))';
const orders = { address: '', port: 0, namespace: 'shop', name: 'orders' };

test('of a service that it carries an agent tells its own connections from those of other programs, which it names, until they are gone', {
  skip,
}, async (t) => {
  const port = Number((await program(t, app)).said);
  const watching = watcher(t, port);
  assert.deepEqual(watching.report(), [], 'nothing is looked at unasked');
  watching.watch([orders]);
  const quiet = await until('the first look', () => watching.report()[0]);
  assert.deepEqual([quiet.inbound, quiet.listening, quiet.fault, quiet.callers, quiet.ownConnections], [true, true, '', [], 0]);
  const own = connect(port, '127.0.0.1');
  onEnd(t, () => void own.destroy());
  const caller = await program(t, `require("net").connect(${port},"127.0.0.1",()=>console.log("there"))`);
  const used = await until('both connections', () => {
    const [report] = watching.report();
    return report?.ownConnections === 1 && report.callers.length === 1 ? report : undefined;
  });
  assert.deepEqual(
    used.callers.map(({ address, program: name, connections }) => [address, name, connections]),
    [['127.0.0.1', 'node', 1]],
  );
  caller.child.kill('SIGKILL');
  const left = await until('the caller to be gone', () => watching.report()[0]?.callers.find(({ connections }) => connections === 0));
  assert.equal(left.program, 'node', 'and not forgotten at once');
  watching.watch([]);
  assert.deepEqual(watching.report(), []);
});

test('an endpoint of another machine is watched from the side of its callers; where nobody listens, that is said', { skip }, async (t) => {
  const port = Number((await program(t, app)).said);
  const watching = watcher(t, 1);
  // 127/8 is this machine's own, whatever its interfaces have.
  watching.watch([{ address: '127.0.0.9', port, namespace: '', name: '' }, { ...orders, name: 'carts' }, orders]);
  const reports = await until('the first look', () => (watching.report().length === 3 ? watching.report() : undefined));
  assert.deepEqual(
    reports.map(({ inbound, listening, fault }) => [inbound, listening, fault]),
    [
      [true, false, ''],
      [false, false, 'this agent does not carry that service'],
      [true, false, ''],
    ],
  );
  assert.ok((reports[0]?.look ?? 0) > 0);
});
