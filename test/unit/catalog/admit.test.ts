import assert from 'node:assert/strict';
import test from 'node:test';
import { admit } from '../../../control/catalog/admit.ts';
import { initialState, reduce } from '../../../control/catalog/reducer.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import { endpoint, httpPort, service } from '../../support/mesh-records.ts';

test('a record that can be used is the same object', () => {
  const record = service('shop/orders', [endpoint('a'), endpoint('v6', { address: 'fd00::1' })]);
  assert.deepEqual(admit(record), { record, refused: [] });
  assert.equal(admit(record).record, record);
});

test('what cannot be used is left out part by part, each with its reason', () => {
  const { record, refused } = admit(
    service(
      'shop/orders',
      [
        endpoint('good'),
        endpoint('name', { address: 'db.internal' }),
        endpoint('range', { ports: { http: 70_000 } }),
        endpoint('heavy', { weight: Number.POSITIVE_INFINITY }),
        endpoint('forged', { serviceAccount: 'a/../../b' }),
        endpoint('plain', { serviceAccount: '', tlsMode: 'none' }),
      ],
      { ports: [httpPort, { name: 'http', port: 81, protocol: 'http' }, { name: 'zero', port: 0, protocol: 'tcp' }] },
    ),
  );
  assert.deepEqual(
    record?.endpoints.map((e) => e.instance),
    ['good', 'plain'],
  );
  assert.deepEqual(record?.ports, [httpPort]);
  assert.deepEqual(refused, [
    'shop/orders port "http": another port has this name',
    'shop/orders port "zero": 0 is no port number',
    'shop/orders endpoint "name": "db.internal" is no IP address',
    'shop/orders endpoint "range": a port number is out of range',
    'shop/orders endpoint "heavy": weight Infinity is not between 0 and 1,000,000',
    'shop/orders endpoint "forged": its identity is no namespace and service account',
  ]);
});

test('a name that is no DNS label is refused whole, and what it prints is short', () => {
  for (const name of ['a.b', 'A', '', 'x'.repeat(64)]) assert.equal(admit(service(`shop/${name}`, [])).record, undefined, name);
  assert.ok((admit(service(`shop/${'x'.repeat(9_999)}`, [])).refused[0]?.length ?? 0) < 200);
});

test('a refusal goes when the source mends it', () => {
  const cluster = clusterId('east');
  const source = sourceId('file');
  const scope = { claims: ['*'], identityNamespaces: ['*'] };
  let state = reduce(initialState(cluster), { kind: 'add-source', source, scope, at: 0 }).state;
  const refusals = (address: string) => {
    const event = { kind: 'snapshot', services: [service('shop/orders', [endpoint('a', { address })])], cursor: '' } as const;
    state = reduce(state, { kind: 'event', cluster, source, event, at: 0 }).state;
    return [...state.shards.values()][0]?.refused.size;
  };
  assert.equal(refusals('nonsense'), 1);
  assert.equal(refusals('10.0.0.1'), 0);
});
