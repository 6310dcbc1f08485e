import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServiceRecord } from '../../../core/model/index.ts';
import { ServiceIndex } from '../../../core/registry/index.ts';
import { endpoint, service } from './records.ts';

const part = (record: ServiceRecord, renamed = false) => ({ record, renamed });

test('says what changed, and nothing when nothing did', () => {
  const index = new ServiceIndex();
  assert.deepEqual(index.set('web', [part(service('web'))], '1'), [{ kind: 'upsert', service: service('web'), cursor: '1' }]);
  assert.deepEqual(index.set('web', [part(service('web'))], '2'), []);
  assert.deepEqual(index.set('web', [], '3'), [{ kind: 'delete', id: 'default/web', cursor: '3' }]);
  assert.deepEqual(index.set('web', [], '4'), []);
  assert.deepEqual(index.natives(), []);
});

test('a native service that moves to another name is there before it is gone', () => {
  const index = new ServiceIndex();
  index.set('web', [part(service('web'))], '1');
  const kinds = index.set('web', [part(service('web', { namespace: 'shop' }))], '2').map((e) => e.kind);
  assert.deepEqual(kinds, ['upsert', 'delete']);
});

test('renamed services join; ports of one number become one', () => {
  const index = new ServiceIndex();
  const old = service('web', {
    ports: [{ name: 'main', port: 8080, protocol: 'tcp' }],
    endpoints: [endpoint('old', { ports: { main: 1111 } })],
    labels: { team: 'a', tier: 'x' },
    createdAt: 2,
  });
  index.set('web', [part(service('web', { labels: { team: 'a' } }))], '1');
  const [event] = index.set('web-old', [part(old, true)], '2');
  assert.ok(event?.kind === 'upsert');
  assert.deepEqual(event.service.ports, [{ name: 'http', port: 8080, protocol: 'http' }]);
  assert.deepEqual(
    event.service.endpoints.map((e) => [e.instance, e.ports]),
    [
      ['web-1', { http: 8080 }],
      ['old', { http: 1111 }],
    ],
  );
  assert.deepEqual(event.service.labels, { team: 'a' });
  assert.deepEqual(index.violations(), []);
});

test('services that merely look alike stay apart: the oldest bears the name, and takes its place back', () => {
  const index = new ServiceIndex();
  index.set('b.web', [part(service('web', { createdAt: 5 }))], '1');
  const late = service('web', { createdAt: 9, endpoints: [endpoint('late')] });
  assert.deepEqual(index.set('a_web', [part(late)], '2'), []);
  assert.equal(index.violations().length, 1);
  assert.match(index.violations()[0]?.message ?? '', /"b\.web" bears the name default\/web/);
  const [event] = index.set('b.web', [], '3');
  assert.ok(event?.kind === 'upsert');
  assert.deepEqual(event.service.endpoints[0]?.instance, 'late');
  assert.deepEqual(index.violations(), []);
});
