import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import type { ObjectSink } from '../../../core/registry/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createKubernetesObjects } from '../../../registries/kubernetes/index.ts';
import { FakeKubernetes } from '../../fakes/kubernetes-api.ts';
import { failure } from '../../fakes/kubernetes-calls.ts';
import type { ApiObject } from '../../fakes/kubernetes-storage.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const group = 'networking.istio.io';
const services = { group, kind: 'VirtualService', versions: ['v1', 'v1beta1'] };
const rules = { group, kind: 'DestinationRule', versions: ['v1'] };
const collection = `virtualservices.${group}`;
const installed = (version: string) => ({ group, version, plural: 'virtualservices', kind: 'VirtualService' });

const service = (id: string, more: object = {}): ApiObject => {
  const [namespace = '', name = ''] = id.split('/');
  return { apiVersion: `${group}/v1`, kind: 'VirtualService', metadata: { namespace, name, ...more }, spec: { hosts: [name] } };
};

/** What was said, in order, and what it comes to. */
class Told implements ObjectSink {
  readonly events: string[] = [];
  readonly documents = new Map<string, Readonly<Record<string, unknown>>>();

  replace: ObjectSink['replace'] = ({ kind }, namespace, objects) => {
    this.events.push(`replace ${kind} ${namespace ?? '*'}`);
    for (const key of [...this.documents.keys()]) {
      if (key.startsWith(`${kind} ${namespace === undefined ? '' : `${namespace}/`}`)) this.documents.delete(key);
    }
    for (const o of objects) this.documents.set(`${kind} ${o.namespace}/${o.name}`, o.document);
  };
  put: ObjectSink['put'] = ({ kind }, { namespace, name, document }) => void this.documents.set(`${kind} ${namespace}/${name}`, document);
  remove: ObjectSink['remove'] = ({ kind }, namespace, name) => void this.documents.delete(`${kind} ${namespace}/${name}`);
  absent: ObjectSink['absent'] = (kind) => {
    this.replace(kind, undefined, []);
    this.events.push(`absent ${kind.kind}`);
  };
  unread: ObjectSink['unread'] = ({ kind }, error) => this.events.push(`${error === undefined ? 'readable' : error.code} ${kind}`);

  names(): string[] {
    return [...this.documents.keys()].sort();
  }
}

async function following(t: TestContext, prepare: (fake: FakeKubernetes) => void, namespaces: readonly string[] = []) {
  const fake = await FakeKubernetes.start();
  onEnd(t, () => fake.stop());
  prepare(fake);
  const deps = { id: sourceId('kubernetes/west'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
  const connection = { type: 'kubernetes', kubeconfig: fake.kubeconfig, namespaces } as const;
  const watch = createKubernetesObjects(connection, [services, rules], deps, { lookMs: 20, answerTimeoutMs: 2_000 });
  const told = new Told();
  const stop = new AbortController();
  const ended = watch.run(told, stop.signal);
  onEnd(t, async () => {
    stop.abort();
    await ended;
  });
  return { fake, told };
}

test('the first version that is served is read; what the server keeps for itself is not handed on', async (t) => {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', team: 'shop' };
  const { fake, told } = await following(t, ({ definitions, storage }) => {
    definitions.push(installed('v1beta1'), installed('v1alpha3'));
    storage.put(collection, {
      ...service('shop/a', { managedFields: [{}], generation: 2, annotations, labels: { app: 'a' } }),
      status: { ok: true },
    });
  });
  await until('it is read', () => told.names().length > 0);
  assert.deepEqual(told.documents.get('VirtualService shop/a'), {
    apiVersion: `${group}/v1beta1`,
    kind: 'VirtualService',
    metadata: { namespace: 'shop', name: 'a', labels: { app: 'a' }, annotations: { team: 'shop' } },
    spec: { hosts: ['a'] },
  });
  assert.ok(fake.requests.every((r) => !r.path.includes('v1alpha3')));
});

test('followed over deletion, a lost history and an outage, each kind by itself', async (t) => {
  const { fake, told } = await following(t, ({ definitions, storage }) => {
    definitions.push(installed('v1'));
    for (const id of ['shop/a', 'shop/b', 'other/c']) storage.put(collection, service(id));
  });
  await until('all are read', () => told.names().length === 3 && fake.watching === 1);
  fake.storage.delete(collection, 'shop', 'a');
  await until('one is gone', () => told.names().length === 2);
  await fake.server.break('reset');
  fake.storage.delete(collection, 'shop', 'b');
  fake.storage.put(collection, service('shop/d'));
  fake.compact();
  await until('the outage is told', () => told.events.includes('REGISTRY_UNREACHABLE VirtualService'));
  assert.deepEqual(told.names(), ['VirtualService other/c', 'VirtualService shop/b'], 'what was said before stands');
  await fake.server.repair();
  await until('it is read anew', () => told.names().join() === 'VirtualService other/c,VirtualService shop/d');
  await until('and that is told', () => told.events.includes('readable VirtualService'));
});

test('a definition that comes later is followed, and one that goes takes its objects along', async (t) => {
  const { fake, told } = await following(t, () => {});
  await until(
    'both kinds are absent',
    () => told.events.includes('absent VirtualService') && told.events.includes('absent DestinationRule'),
  );
  fake.storage.put(collection, service('shop/a'));
  fake.definitions.push(installed('v1'));
  await until('it is followed', () => told.names().length === 1);
  fake.storage.put(collection, service('shop/b'));
  fake.definitions.length = 0;
  const before = told.events.filter((e) => e === 'absent VirtualService').length;
  const gone = () => told.events.filter((e) => e === 'absent VirtualService').length > before;
  await until('its objects are gone', () => gone() && told.names().length === 0);
  fake.definitions.push(installed('v1'));
  await until('and come back with it', () => told.names().length === 2);
});

test('what discovery leaves out is held until its path says that there is no such kind: a server that starts answers 503', async (t) => {
  const { fake, told } = await following(t, ({ definitions, storage }) => {
    definitions.push(installed('v1'));
    storage.put(collection, service('shop/a'));
  });
  await until('it is read', () => told.names().length === 1);
  const asked = () => fake.requests.filter((r) => r.query.get('limit') === '1').length;
  const askedAgain = async () => {
    const before = asked();
    await until('the path is asked', () => asked() > before + 2);
  };
  fake.definitions[0] = { ...installed('v1'), kind: 'Other' };
  await askedAgain();
  fake.fault = (request, response) => {
    if (request.collection !== collection) return false;
    response.writeHead(503).end(JSON.stringify(failure(503, 'ServiceUnavailable', 'not all paths have been installed').body));
    return true;
  };
  fake.endWatches();
  await askedAgain();
  assert.deepEqual(told.names(), ['VirtualService shop/a']);
  assert.ok(!told.events.includes('absent VirtualService'));
  fake.definitions.length = 0;
  await until('it is gone', () => told.events.includes('absent VirtualService') && told.names().length === 0);
});

test('rights to one kind alone: it is read, and the other is told of', async (t) => {
  const { fake, told } = await following(t, ({ definitions, storage }) => {
    definitions.push(installed('v1'), { group, version: 'v1', plural: 'destinationrules', kind: 'DestinationRule' });
    storage.put(collection, service('shop/a'));
  });
  fake.fault = (request, response) => {
    if (!request.path.endsWith('/destinationrules')) return false;
    response.writeHead(403).end(JSON.stringify(failure(403, 'Forbidden', 'destinationrules is forbidden').body));
    return true;
  };
  await until('one is read', () => told.names().length === 1);
  fake.endWatches();
  await until('the other is told of', () => told.events.includes('REGISTRY_REFUSED DestinationRule'));
  assert.ok(!told.events.some((e) => e.endsWith('VirtualService') && /REFUSED|UNREACHABLE/.test(e)));
  fake.fault = undefined;
  await until('until it can be read', () => told.events.includes('readable DestinationRule'));
});

test('within the namespaces of the connection, each read whole by itself', async (t) => {
  const { told } = await following(
    t,
    ({ definitions, storage }) => {
      definitions.push(installed('v1'));
      for (const id of ['shop/a', 'edge/b', 'other/c']) storage.put(collection, service(id));
    },
    ['shop', 'edge'],
  );
  await until('both are read', () => told.names().length === 2);
  assert.deepEqual(told.names(), ['VirtualService edge/b', 'VirtualService shop/a']);
  assert.ok(!told.events.includes('replace VirtualService *'));
});

test('a server that cannot be asked which kinds it has: every kind is unread, and none is absent', async (t) => {
  const { fake, told } = await following(t, (server) => {
    server.token = 'another';
  });
  await until(
    'it is told',
    () => told.events.includes('REGISTRY_REFUSED VirtualService') && told.events.includes('REGISTRY_REFUSED DestinationRule'),
  );
  assert.ok(!told.events.some((e) => e.startsWith('absent') || e.startsWith('replace')));
  fake.definitions.push(installed('v1'));
  fake.token = 'fake-token';
  await until(
    'and followed when it can',
    () => told.events.includes('readable VirtualService') && told.events.includes('replace VirtualService *'),
  );
});
