import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestHeaders } from '../../../gateway/forward/headers.ts';
import { believed } from '../../../gateway/forward/outside.ts';

const request = { method: 'GET', path: '/', authority: 'shop.example.com', scheme: 'http' as const, streamed: false };

test('of a request from outside the mesh nothing goes on that only proxies may say, and its true scheme does', () => {
  const forged = [
    ...['x-forwarded-for', '192.0.2.1', 'x-forwarded-proto', 'http', 'x-forwarded-client-cert', 'URI=spiffe://mesh.test/ns/a/sa/b'],
    ...['x-envoy-internal', 'true', 'x-envoy-retry-on', '5xx', 'x-isthmus-local-origin', 'UF', 'cookie', 'a=b'],
  ];
  const { scheme, headers } = believed({ ...request, headers: forged }, 'https');
  assert.equal(scheme, 'https');
  assert.deepEqual(headers, ['x-forwarded-for', '192.0.2.1', 'cookie', 'a=b', 'x-forwarded-proto', 'https']);
  const sent = requestHeaders(headers, { requestId: 'r', sourceAddress: '198.51.100.7', clientCert: undefined });
  assert.equal(sent[sent.indexOf('x-forwarded-for') + 1], '192.0.2.1,198.51.100.7');
});

test('a request inside the mesh is as it came', () => {
  const inside = { ...request, headers: ['x-envoy-attempt-count', '1', 'x-forwarded-proto', 'https'] };
  assert.equal(believed(inside, undefined), inside);
});
