import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { clientCertHeaderValue } from '../../../gateway/forward/client-cert.ts';
import { headerOf, lowerNames, requestHeaders, responseHeaders, trailersOf } from '../../../gateway/forward/headers.ts';
import { readRequest } from '../../../gateway/forward/http1/read-request.ts';

const facts = { requestId: 'id', sourceAddress: '10.0.0.9', clientCert: undefined };
const read = (method: string, url: string, rawHeaders: readonly string[] = ['host', 'a']) =>
  readRequest({ method, url, httpVersion: '1.1', rawHeaders }, 'http', 100);
const sent = (rawHeaders: readonly string[]) => {
  const message = read('GET', '/', rawHeaders);
  assert.ok(message.ok);
  return requestHeaders(message.head.headers, facts);
};
const names = (raw: readonly string[]) => raw.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());

describe('headers', () => {
  test('what is for one hop stays on it, also what Connection names; framing and Host do not', () => {
    const raw = [
      ['Host', 'a'],
      ['Connection', 'close, X-Mine, host, content-length'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'x'],
      ['TE', 'trailers, deflate'],
      ['Upgrade', 'h2c'],
      ['HTTP2-Settings', 'x'],
      ['X-Mine', '1'],
      ['Content-Length', '3'],
      ['Set-Cookie', 'a'],
      ['Set-Cookie', 'b'],
    ].flat();
    const out = sent(raw);
    assert.deepEqual(names(out), ['content-length', 'set-cookie', 'set-cookie', 'te', 'x-forwarded-for', 'x-request-id']);
    assert.equal(headerOf(out, 'te'), 'trailers');
    assert.deepEqual(names(responseHeaders(raw)), ['host', 'content-length', 'set-cookie', 'set-cookie']);
  });

  test('what only the mesh may say is dropped, however it is written', () => {
    const raw = [
      'x-FORWARDED-client-cert',
      'forged',
      'X-Isthmus-Local-Origin',
      'UF',
      'X-Forwarded-For',
      '1.1.1.1',
      'x-forwarded-for',
      '2.2.2.2',
    ];
    const out = sent(raw);
    assert.equal(headerOf(out, 'x-forwarded-client-cert'), undefined);
    assert.equal(headerOf(out, 'x-isthmus-local-origin'), undefined);
    assert.equal(headerOf(out, 'x-forwarded-for'), '1.1.1.1,2.2.2.2,10.0.0.9');
    assert.equal(headerOf(requestHeaders(lowerNames(raw), { ...facts, clientCert: 'By=me' }), 'x-forwarded-client-cert'), 'By=me');
    assert.equal(headerOf(responseHeaders(['X-Isthmus-Local-Origin', 'UF']), 'x-isthmus-local-origin'), undefined);
  });

  test('trailers that would change how a message is read are dropped', () => {
    const raw = ['x-sum', '1', 'Content-Length', '9', 'Authorization', 'x', 'X-Forwarded-Client-Cert', 'x', 'Transfer-Encoding', 'x'];
    assert.deepEqual(trailersOf(raw), ['x-sum', '1']);
  });

  test("Envoy's form of the client certificate", () => {
    const peer = {
      spiffeId: 'spiffe://mesh.test/ns/web/sa/front',
      principal: '',
      trustDomain: '',
      namespace: '',
      serviceAccount: '',
      cluster: 'west',
      dnsSans: ['west.cluster.mesh.test'],
      fingerprint: 'ab',
    };
    assert.equal(
      clientCertHeaderValue('spiffe://mesh.test/ns/shop/sa/orders', peer),
      'By=spiffe://mesh.test/ns/shop/sa/orders;Hash=ab;Subject="";URI=spiffe://mesh.test/ns/web/sa/front;DNS=west.cluster.mesh.test',
    );
  });

  test('targets: origin, absolute (whose authority wins), asterisk', () => {
    const check = (method: string, url: string) => {
      const message = read(method, url);
      return message.ok ? [message.head.authority, message.head.path] : message.status;
    };
    assert.deepEqual(check('GET', '/a?b'), ['a', '/a?b']);
    assert.deepEqual(check('GET', 'http://b:80/x?y'), ['b:80', '/x?y']);
    assert.deepEqual(check('GET', 'http://b?y'), ['b', '/?y']);
    assert.deepEqual(check('OPTIONS', '*'), ['a', '*']);
    for (const [method, url] of [
      ['GET', '*'],
      ['GET', 'ftp://b/'],
      ['GET', 'http://u@b/'],
      ['GET', ''],
      ['GET', 'b:80'],
      ['GET', '/a#b'],
    ] as const) {
      assert.equal(check(method, url), 400, url);
    }
    assert.equal(check('CONNECT', 'b:80'), 405);
  });
});
