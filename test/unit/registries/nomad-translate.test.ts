import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Allocation, NomadNode, Registration } from '../../../registries/nomad/schema.ts';
import { NomadState } from '../../../registries/nomad/state.ts';
import { healthOf, translateService } from '../../../registries/nomad/translate.ts';
import { rulesWith } from '../registry/records.ts';

const registration = (ID: string, change: Partial<Registration> = {}): Registration => ({
  ID,
  ServiceName: 'web',
  Namespace: 'default',
  AllocID: `alloc-${ID}`,
  NodeID: 'node-1',
  Datacenter: 'dc1',
  Address: '10.0.0.1',
  Port: 8080,
  Tags: [],
  CreateIndex: 10,
  ModifyIndex: 10,
  ...change,
});
const allocation = (change: Partial<Allocation> = {}): Allocation => ({
  ID: 'alloc-a',
  ClientStatus: 'running',
  DesiredStatus: 'run',
  ModifyIndex: 10,
  ...change,
});
const node = (Status: string): NomadNode => ({ ID: 'node-1', Status, ModifyIndex: 10 });
const known = (change: { allocation?: Allocation | undefined; node?: NomadNode; checks?: string[] }) => ({
  registration: registration('a'),
  allocation: 'allocation' in change ? change.allocation : allocation(),
  node: change.node,
  checks: change.checks ?? [],
});

test('a registration counts while its allocation does', () => {
  const cases: [Parameters<typeof known>[0], string | undefined][] = [
    [{}, 'healthy'],
    [{ allocation: undefined }, undefined],
    [{ allocation: allocation({ ClientStatus: 'pending' }) }, undefined],
    [{ allocation: allocation({ ClientStatus: 'complete' }) }, undefined],
    [{ allocation: allocation({ ClientStatus: 'failed' }) }, undefined],
    [{ allocation: allocation({ ClientStatus: 'lost' }) }, undefined],
    [{ allocation: allocation({ ClientStatus: 'unknown' }) }, 'unhealthy'],
    [{ allocation: allocation({ DesiredStatus: 'stop' }) }, 'draining'],
    [{ allocation: allocation({ DesiredStatus: 'evict' }) }, 'draining'],
    [{ allocation: allocation({ DesiredTransition: { Migrate: true } }) }, 'draining'],
    [{ node: node('down') }, 'unhealthy'],
    [{ node: node('disconnected'), allocation: allocation({ DesiredStatus: 'stop' }) }, 'unhealthy'],
    [{ node: node('ready') }, 'healthy'],
    [{ checks: ['success', 'success'] }, 'healthy'],
    [{ checks: ['success', 'pending'] }, 'unknown'],
    [{ checks: ['success', 'failure', 'pending'] }, 'unhealthy'],
    [{ checks: ['failure'], allocation: allocation({ DesiredStatus: 'stop' }) }, 'draining'],
  ];
  for (const [change, health] of cases) assert.equal(healthOf(known(change)), health, JSON.stringify(change));
});

test('a port that Nomad picked is no service port; tags say another', () => {
  const build = (change: Partial<Registration>) =>
    translateService([{ ...known({}), registration: registration('a', change) }], rulesWith(), 'eu', 1).parts[0]?.record;
  assert.deepEqual(build({ Port: 24_000 })?.ports, [{ name: 'http', port: 80, protocol: 'http' }]);
  assert.deepEqual(build({ Port: 24_000, Tags: ['isthmus.dev/port=8443', 'isthmus.dev/protocol=tls'] })?.ports, [
    { name: 'tls', port: 8443, protocol: 'tls' },
  ]);
  assert.deepEqual(build({})?.ports, [{ name: 'http', port: 8080, protocol: 'http' }]);
  assert.deepEqual(build({ Tags: ['v1', 'team=pay'] })?.labels, { team: 'pay', v1: 'true' });
  assert.deepEqual(build({})?.endpoints[0]?.locality, { region: 'eu', zone: 'dc1', subzone: '' });
});

const deregistered = (r: Registration, Index: number) => ({
  Topic: 'Service',
  Type: 'ServiceDeregistration',
  Index,
  Payload: { Service: r },
});
const registered = (r: Registration, Index = r.ModifyIndex) => ({
  Topic: 'Service',
  Type: 'ServiceRegistration',
  Index,
  Payload: { Service: r },
});

test('events that a list already contains change nothing, even about what has gone since', () => {
  const state = new NomadState();
  state.setAllocations([allocation({ ModifyIndex: 30 })], 30);
  state.setRegistrations([registration('a', { ModifyIndex: 25 })], 30, new Map([['default/web', 33]]));
  assert.equal(state.apply(registered(registration('gone', { ModifyIndex: 20 }))).size, 0);
  assert.equal(state.apply(registered(registration('gone', { ModifyIndex: 32 }))).size, 0, 'before its service was read');
  assert.equal(state.apply(deregistered(registration('a', { ModifyIndex: 12 }), 24)).size, 0);
  const old = {
    Topic: 'Allocation',
    Type: 'AllocationUpdated',
    Index: 29,
    Payload: { Allocation: allocation({ ModifyIndex: 29, ClientStatus: 'failed' }) },
  };
  assert.equal(state.apply(old).size, 0);
  assert.deepEqual([...state.apply(deregistered(registration('a', { ModifyIndex: 25 }), 34))], ['default/web']);
  assert.deepEqual(state.services(), []);
});

test('a list takes away what it does not name, but not what was registered after it', () => {
  const state = new NomadState();
  state.apply(registered(registration('old', { ModifyIndex: 5 })));
  state.apply(registered(registration('new', { ModifyIndex: 50, ServiceName: 'late' })));
  assert.deepEqual([...state.setRegistrations([], 40, new Map())], ['default/web']);
  assert.deepEqual(state.services(), ['default/late']);
});

test('allocations that have ended and are registered no more are forgotten', () => {
  const state = new NomadState();
  const list = Array.from({ length: 1_000 }, (_, i) => allocation({ ID: `done-${i}`, ClientStatus: 'complete' }));
  state.setAllocations(list, 20);
  state.apply(registered(registration('x', { AllocID: 'done-1', ModifyIndex: 30 })));
  assert.equal(state.instancesOf('default/web')[0]?.allocation, undefined);
});

test('only a node whose status changed touches its services', () => {
  const state = new NomadState();
  state.setNodes([node('ready')], 10);
  state.setRegistrations([registration('a'), registration('b', { NodeID: 'node-2', ServiceName: 'other' })], 10, new Map());
  const event = (Status: string, Index: number) => ({
    Topic: 'Node',
    Type: 'NodeEvent',
    Index,
    Payload: { Node: { ...node(Status), ModifyIndex: Index } },
  });
  assert.deepEqual([...state.apply(event('ready', 11))], []);
  assert.deepEqual([...state.apply(event('down', 12))], ['default/web']);
});
