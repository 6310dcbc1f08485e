import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../../core/log.ts';
import type { ToSupervisor, ToWorker } from '../../../sidecar-vm/supervisor/protocol.ts';
import { Supervisor } from '../../../sidecar-vm/supervisor/supervisor.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

/** What a supervisor has of a worker: a process with a channel, which says what the test says. */
class Worker extends EventEmitter {
  readonly told: string[] = [];
  readonly pid: number;

  constructor(pid: number) {
    super();
    this.pid = pid;
  }

  send(message: ToWorker): boolean {
    this.told.push(message.say);
    return true;
  }

  kill(): boolean {
    return this.emit('exit', 0, null);
  }

  say(...all: readonly ('loaded' | 'ready' | 'released')[]): void {
    for (const say of all) this.emit('message', { say } satisfies ToSupervisor);
  }
}

function supervised(t: TestContext) {
  const workers: Worker[] = [];
  const stop = new AbortController();
  const fork = () => {
    const worker = new Worker(workers.length + 1);
    workers.push(worker);
    return worker as unknown as ChildProcess;
  };
  const supervisor = new Supervisor({ fork, clock: new ManualClock(), random: () => 0, log: silentLog });
  const ended = supervisor.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await ended;
  });
  return { supervisor, workers };
}

test('who asks for a new worker while one has just taken over and does not serve yet gets it when that one does', (t) => {
  const { supervisor, workers } = supervised(t);
  workers[0]?.say('loaded', 'ready');
  supervisor.upgrade();
  workers[1]?.say('loaded');
  assert.deepEqual(workers[0]?.told, ['begin', 'hand-over']);
  workers[0]?.say('released');
  assert.equal(supervisor.pid, 2);
  supervisor.upgrade();
  supervisor.upgrade();
  assert.equal(workers.length, 2, 'it may have read already what stood there before');
  workers[1]?.say('ready');
  assert.equal(workers.length, 3);
  workers[2]?.say('loaded');
  workers[1]?.say('released');
  workers[2]?.say('ready');
  assert.deepEqual([supervisor.pid, workers.length], [3, 3], 'and no more than that');
});

test('asking again while a new worker starts changes nothing', (t) => {
  const { supervisor, workers } = supervised(t);
  workers[0]?.say('loaded', 'ready');
  supervisor.upgrade();
  supervisor.upgrade();
  workers[1]?.say('loaded');
  supervisor.upgrade();
  workers[0]?.say('released');
  workers[1]?.say('ready');
  assert.deepEqual([supervisor.pid, workers.length], [2, 2]);
});
