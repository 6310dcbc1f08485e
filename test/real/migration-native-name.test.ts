import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.ts';
import { type Bed, part, startBed } from './migration/bed.ts';
import { startLoads } from './migration/callers.ts';
import { Run } from './migration/follow.ts';
import { appPort } from './migration/runtimes.ts';
import { endInReverse, type Host, type RunningConsul } from './servers/index.ts';

/** Whoever looks at 5 % must not come when the name has been switched already. */
const slowly = '[{weight: 5, bake: 20s}, 25, 50, 100]';
const nativeName = '  nativeName: {registry: consul/dc1, atWeight: 25}\n';

describe('callers that know a service by its name in Consul alone', { timeout: 420_000 }, () => {
  test('move with it by its gateways, go back with it, and lose nothing', async (t) => {
    const ending = endInReverse(t);
    const bed = await startBed(ending, { callers: ['isthmus'] });
    const load = await startLoads(bed.callers, 'orders', 40);
    ending(() => load.kill());
    const caller = new NativeCaller(bed.consul, bed.host('dc', 'outside'));
    ending(() => caller.stop());
    const vms = bed.vms.map(({ host }) => `${host.address}:${appPort}`).sort();
    const names = (backends: Bed['vms']) => new Set(backends.map(({ name }) => name));

    await part(t, bed, 'back by hand: the name is as it was', async () => {
      await until('the VMs to answer', async () => (await caller.answering()).length === 2);
      const run = await Run.start(bed.control, { steps: slowly, more: nativeName });
      await run.weight(5);
      assert.deepEqual(await caller.answering(), vms, 'not before its weight');
      await run.until('the name to be switched', (status) => status.nativeName === 'switched' && status.to.weight >= 25);
      await until('the gateway alone to answer', async () => isGateway(await caller.answering(), bed));
      await bed.control.run('migrate', 'rollback', 'shop/orders', '--reason', 'as a test');
      const back = await run.phase('rolled-back');
      assert.equal(back.nativeName, 'original');
      assert.deepEqual(await caller.answering(), vms);
      caller.noneFailed();
    });

    await part(t, bed, 'and through to the end: whoever asks Consul is answered by the pods', async () => {
      const run = await Run.start(bed.control, { more: nativeName });
      const done = await run.phase('done', 240_000);
      assert.equal(done.nativeName, 'switched');
      assert.deepEqual(new Set(done.drain.map(({ verdict }) => verdict)), new Set(['safe']));
      assert.ok(isGateway(await caller.answering(), bed));
      caller.forget();
      await until('some answers', () => caller.seen.size > 0 && caller.calls > 20);
      for (const name of caller.seen) assert.ok(names(bed.pods).has(name), name);
      caller.noneFailed();
    });
    const { failed } = load.counts();
    assert.equal(failed, 0, 'nor did callers with a sidecar');
  });
});

function isGateway(answering: readonly string[], bed: Bed): boolean {
  const { address } = bed.host('dc', 'gw');
  return answering.length === 1 && answering[0]?.startsWith(`${address}:16`) === true;
}

/** Asks Consul before each call, as clients of its API do. */
class NativeCaller {
  readonly seen = new Set<string>();
  calls = 0;
  readonly #failures: string[] = [];
  readonly #consul: RunningConsul;
  readonly #host: Host;
  readonly #ended: Promise<void>;
  #stopped = false;

  constructor(consul: RunningConsul, host: Host) {
    this.#consul = consul;
    this.#host = host;
    this.#ended = this.#run();
  }

  async answering(): Promise<string[]> {
    const { body } = await this.#consul.api('GET', '/v1/health/service/orders?passing');
    return (JSON.parse(body) as { Service: { Address: string; Port: number } }[])
      .map(({ Service }) => `${Service.Address}:${Service.Port}`)
      .sort();
  }

  forget(): void {
    this.seen.clear();
    this.calls = 0;
  }

  noneFailed(): void {
    assert.deepEqual(this.#failures.slice(0, 3), [], `${this.#failures.length} calls failed`);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const places = await this.answering();
        const place = places[Math.floor(Math.random() * places.length)];
        // Before anything is registered there is nobody to call.
        if (place !== undefined) await this.#call(place);
        else if (this.calls > 0) this.#failures.push('Consul names nobody');
      } catch (error) {
        if (!this.#stopped) this.#failures.push(String(error));
      }
      await delay(50);
    }
  }

  async #call(place: string): Promise<void> {
    const { status, body } = await this.#host.reach.request({ url: `http://${place}/`, headers: { host: 'orders' } });
    this.calls += 1;
    if (status === 200) this.seen.add(body);
    else this.#failures.push(`${place}: ${status} ${body}`);
  }
}
