import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCapturePlan } from '../../../sidecar-vm/capture/plan.ts';
import { captureRules } from '../../../sidecar-vm/capture/rules.ts';
import { SignOfLife } from '../../../sidecar-vm/capture/sign-of-life.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const base = { port: 15_001, agentUid: 990 };

function rulesOf(input: object): string[] {
  const plan = parseCapturePlan({ ...base, ...input });
  assert.ok(plan.ok, JSON.stringify(plan));
  return captureRules(plan.value)
    .split('\n')
    .map((line) => line.trim());
}

test('the smallest ruleset replaces its own table whole, and takes nothing but 127.64.0.0/10', () => {
  const rules = rulesOf({});
  assert.deepEqual(rules.slice(0, 3), ['table inet isthmus', 'delete table inet isthmus', 'table inet isthmus {']);
  assert.deepEqual(
    rules.filter((line) => line.includes('redirect')),
    ['ip daddr 127.64.0.0/10 meta l4proto tcp redirect to :15001'],
  );
  assert.ok(rules.indexOf('meta skuid 990 return') < rules.findIndex((line) => line.includes('redirect')), 'the agent is never captured');
});

test('who is left out is left out before anybody is taken, and others only while the agent lives', () => {
  const rules = rulesOf({
    cidrs: ['10.96.0.0/12', '10.96.4.0/24', '192.0.2.7'],
    excludeCidrs: ['10.96.0.10/32'],
    excludePorts: [3306],
    includeUids: [1000],
    excludeUids: [4242],
  });
  const outbound = rules.slice(rules.indexOf('chain outbound {') + 2, rules.lastIndexOf('}', rules.length - 3));
  assert.deepEqual(outbound.slice(0, 9), [
    'meta l4proto != tcp return',
    'meta skuid 990 return',
    'ip daddr 127.64.0.0/10 meta l4proto tcp redirect to :15001',
    'ip daddr 127.0.0.0/8 return',
    'tcp dport { 22, 3306 } return',
    'meta skuid { 4242 } return',
    'meta skuid != { 1000 } return',
    'ip daddr { 10.96.0.10/32 } return',
    'ip daddr { 10.96.0.0/12, 192.0.2.7/32 } meta nfproto @alive meta l4proto tcp redirect to :15001',
  ]);
});

test('inbound ports are led for callers from elsewhere alone', () => {
  const rules = rulesOf({ inbound: [{ port: 8080, to: 15_106 }] });
  assert.ok(rules.includes('iifname != "lo" fib daddr type local tcp dport 8080 redirect to :15106'), rules.join('\n'));
});

test('a plan that would lock people out or catch its own agent is refused, with everything that is wrong', () => {
  const plan = parseCapturePlan({
    port: 0,
    agentUid: 990,
    cidrs: ['127.65.0.0/16', '10.0.0.0/33', 'fd00::/8', 'example.com'],
    includeUids: [990, 7],
    excludeUids: [7],
    inbound: [{ port: 22, to: 22 }],
  });
  assert.ok(!plan.ok);
  assert.deepEqual(plan.violations.map(({ path }) => path).sort(), [
    'cidrs',
    'cidrs.1',
    'cidrs.2',
    'cidrs.3',
    'inbound',
    'inbound',
    'includeUids',
    'includeUids',
    'port',
  ]);
});

test('the whole of IPv4 may be taken: loopback is left out by itself', () => {
  assert.ok(
    rulesOf({ cidrs: ['0.0.0.0/0', '10.0.0.0/8'] }).includes(
      'ip daddr { 0.0.0.0/0 } meta nfproto @alive meta l4proto tcp redirect to :15001',
    ),
  );
});

test('the agent learns of its rules from what becomes of its signs, and one that says otherwise changes nothing', async () => {
  let dropped = false;
  let changes = 0;
  const send = () => (dropped ? Promise.reject(Object.assign(new Error('no'), { code: 'EPERM' })) : Promise.resolve());
  const sign = new SignOfLife({ port: 15_001, clock: new ManualClock(), send });
  sign.subscribe(() => {
    changes += 1;
  });
  assert.equal(sign.inPlace, undefined);
  await sign.beat();
  assert.equal(sign.inPlace, false);
  dropped = true;
  await sign.beat();
  assert.equal(sign.inPlace, false, 'not sure yet');
  await sign.beat();
  assert.equal(sign.inPlace, true);
  dropped = false;
  await sign.beat();
  dropped = true;
  await sign.beat();
  dropped = false;
  await sign.beat();
  assert.deepEqual([sign.inPlace, changes], [true, 2]);
});
