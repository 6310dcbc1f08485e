import assert from 'node:assert/strict';
import { Agent, get, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import type { MtlsStatus } from '../../../core/admin/index.ts';
import { readBlocks } from '../../support/docs-blocks.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh } from './guarded-mesh.ts';

const page = 'docs/move-to-mtls.md';

interface Answer {
  readonly status: number;
  /** Whom the app sees; empty: nobody proven. */
  readonly principal: string;
}

/** Undefined: no answer came. */
async function ask(port: number, agent?: Agent): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, path: '/', ...(agent === undefined ? {} : { agent }) }, (response: IncomingMessage) => {
      response
        .setEncoding('utf8')
        .toArray()
        .then(
          (chunks) => {
            const status = response.statusCode ?? 0;
            resolve({ status, principal: status === 200 ? (JSON.parse(chunks.join('')) as { principal: string }).principal : '' });
          },
          () => resolve(undefined),
        );
    });
    asked.on('error', () => resolve(undefined));
  });
}

/** Asks again and again until it is ended; what came, by outcome. */
class Load {
  readonly outcomes = new Map<string, number>();
  #ended = false;
  readonly #running: Promise<void>;

  constructor(once: () => Promise<Answer | undefined>) {
    this.#running = (async () => {
      while (!this.#ended) {
        const answer = await once();
        const outcome = answer === undefined ? 'none' : `${answer.status} ${answer.principal === '' ? 'nobody' : 'proven'}`;
        this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
      }
    })();
  }

  get count(): number {
    return [...this.outcomes.values()].reduce((n, each) => n + each, 0);
  }

  /** Of the next `n`. */
  async more(n: number): Promise<void> {
    const from = this.count;
    await until(`${n} more requests`, () => this.count >= from + n);
  }

  async end(): Promise<ReadonlyMap<string, number>> {
    this.#ended = true;
    await this.#running;
    return this.outcomes;
  }
}

test(`${page}: a service is moved from plaintext to mTLS under load, by the commands on it`, { timeout: 240_000 }, async (t) => {
  const [permissive = '', strict = '', ...more] = await readBlocks(page, 'yaml');
  const commands = (await readBlocks(page, 'sh')).map((line) => line.trim().split(' ').slice(1));
  const [takeBoth = [], look = [], plan = [], refuse = [], explain = [], ...others] = commands;
  assert.deepEqual([more, others], [[], []], 'something of the page is not run here');
  const mesh = await GuardedMesh.start(t);
  const files = new Map([
    ['permissive.yaml', await mesh.file('permissive.yaml', permissive)],
    ['strict.yaml', await mesh.file('strict.yaml', strict)],
    ['disable.yaml', await mesh.file('disable.yaml', permissive.replace('PERMISSIVE', 'DISABLE'))],
  ]);
  const run = (command: readonly string[]) => mesh.cli(...command.map((word) => files.get(word) ?? word));
  const status = async () => {
    const { ports } = JSON.parse(await run([...look, '--output', 'json'])) as MtlsStatus;
    const [port] = ports;
    assert.ok(port !== undefined && ports.length === 1);
    return port;
  };
  const door = await deadPort();
  const orders = await mesh.vm('orders', 8080, { app: 'orders' }, undefined, { expose: door });
  const web = await mesh.vm('web', 8081);
  const byMesh = () => ask(web.local);
  await until('web to reach orders', async () => (await byMesh())?.status === 200);

  // Nothing is said: mTLS alone.
  assert.equal(await ask(door), undefined);
  assert.deepEqual([(await status()).mode, (await status()).decidedBy], ['STRICT', undefined]);

  await run(takeBoth);
  await until('plaintext to be taken', async () => (await ask(door))?.status === 200);
  assert.deepEqual(await ask(door), { status: 200, principal: '' });
  assert.deepEqual(await byMesh(), { status: 200, principal: 'spiffe://mesh.example.org/ns/shop/sa/web' }, 'still by mTLS');

  const load = new Load(byMesh);
  onEnd(t, async () => void (await load.end()));
  const clear = new Load(() => ask(door));
  onEnd(t, async () => void (await clear.end()));
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  onEnd(t, () => kept.destroy());
  assert.equal((await ask(door, kept))?.status, 200);

  const told = await until('the report', async () => {
    const now = await status();
    return now.plaintext.requests > 0 && now.mtls.requests > 0 ? now : undefined;
  });
  assert.deepEqual(
    [told.service, told.mode, told.decidedBy, told.instances, told.exposed, told.strictIsSafe],
    ['shop/orders', 'PERMISSIVE', 'PeerAuthentication shop/orders', 1, 1, 'no'],
  );
  assert.deepEqual(
    told.callers.map(({ address }) => address),
    ['127.0.0.1'],
  );
  assert.match(await run(look), /STRICT is not safe: somebody came in the clear/);
  assert.match(await run(plan), /plaintext-cut.*STRICT would cut off who called shop\/orders port 8080 in the clear.*127\.0\.0\.1/);

  const said = await run(refuse);
  assert.match(said, /Warning: STRICT would cut off who called shop\/orders/);
  await until('plaintext to be refused', async () => (await ask(door)) === undefined);
  const before = clear.outcomes.get('200 nobody');
  await Promise.all([clear.more(20), load.more(20)]);
  assert.equal(clear.outcomes.get('200 nobody'), before, 'nobody in the clear any more');
  assert.equal((await ask(door, kept))?.status, 403, 'a connection that stood is judged by request');
  assert.deepEqual([...load.outcomes.keys()], ['200 proven'], 'no request by mTLS failed');
  await mesh.cli('confirm');

  const refused = await until('the refusals to be reported', async () => {
    const now = await status();
    return now.plaintext.refused > 0 ? now : undefined;
  });
  assert.deepEqual([refused.mode, refused.decidedBy], ['STRICT', 'PeerAuthentication shop/orders']);
  const entry = orders.access.find((e) => String(e['connection_termination_details']).startsWith('plaintext-refused'));
  assert.deepEqual(
    [entry?.['reporter'], entry?.['source_principal'], entry?.['response_flags']],
    ['destination', null, 'NR'],
    'with the reason',
  );
  assert.match(await run(explain), /port 8080 takes mTLS alone \(STRICT\)[\s\S]*PeerAuthentication shop\/orders decided/);

  // And back, and to where agents themselves speak plaintext: from PERMISSIVE, so that nobody is refused on the way.
  await clear.end();
  await run(takeBoth);
  await until('plaintext to be taken again', async () => (await ask(door))?.status === 200);
  assert.equal((await byMesh())?.principal, 'spiffe://mesh.example.org/ns/shop/sa/web', 'never downgraded');
  await run(['apply', '-f', 'disable.yaml']);
  await until('agents to speak plaintext', async () => (await byMesh())?.principal === '');
  await run(takeBoth);
  await until('agents to speak mTLS', async () => (await byMesh())?.principal !== '');
  const all = await load.end();
  assert.deepEqual([...all.keys()].sort(), ['200 nobody', '200 proven'], `nothing failed: ${JSON.stringify([...all])}`);

  // Who speaks plaintext is nobody: rules by identity never match, those by address can.
  const policy = (rules: string) =>
    `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: orders, namespace: shop}\nspec: {rules: [${rules}]}\n`;
  const is = (what: string, statusOfClear: number) => until(what, async () => (await ask(door))?.status === statusOfClear);
  await mesh.configure('policy.yaml', policy('{from: [{source: {principals: ["*"]}}]}'));
  await is('a principal to be asked for', 403);
  assert.equal((await byMesh())?.status, 200);
  await mesh.configure('policy.yaml', policy('{from: [{source: {ipBlocks: [127.0.0.0/8]}}]}'));
  await is('an address to be asked for', 200);
  await mesh.configure('policy.yaml', policy('{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}'));
  await is('another address to be asked for', 403);
});

test('the app wins its port: the agent says so, and takes it when it is free', { timeout: 120_000 }, async (t) => {
  const mesh = await GuardedMesh.start(t);
  const { createServer } = await import('node:net');
  const own = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => void own.close());
  const place = own.address();
  assert.ok(place !== null && typeof place === 'object');
  const orders = await mesh.vm('orders', 8080, { app: 'orders' }, undefined, { expose: place.port });
  const [taken, ...more] = orders.agent.status().taken;
  assert.deepEqual([taken?.port, more], [place.port, []]);
  assert.match(taken?.reason ?? '', /shop\/orders itself perhaps.*let it listen on 127\.0\.0\.1 alone/);
  await new Promise((resolve) => own.close(resolve));
  await until('the agent to take it', () => orders.agent.status().taken.length === 0);
  assert.equal(await ask(place.port), undefined, 'STRICT');
});
