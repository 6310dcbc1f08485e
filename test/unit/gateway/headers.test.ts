import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkRequest } from '../../../gateway/forward/check-request.ts';
import { clientCertHeaderValue } from '../../../gateway/forward/client-cert.ts';
import { headerOf, requestHeaders, responseHeaders, trailerPairs } from '../../../gateway/forward/headers.ts';

const facts = { requestId: 'id', sourceAddress: '10.0.0.9', upgrade: false, chunked: false };
const names = (raw: readonly string[]) => raw.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());

describe('headers', () => {
  test('what is for one hop stays on it, also what Connection names; framing and Host do not', () => {
    const raw = [
      ['Host', 'a'],
      ['Connection', 'close, X-Mine, host, content-length'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'x'],
      ['TE', 'trailers, deflate'],
      ['Transfer-Encoding', 'chunked'],
      ['Upgrade', 'h2c'],
      ['HTTP2-Settings', 'x'],
      ['X-Mine', '1'],
      ['Content-Length', '3'],
      ['Set-Cookie', 'a'],
      ['Set-Cookie', 'b'],
    ].flat();
    const out = requestHeaders(raw, facts);
    assert.deepEqual(names(out), ['host', 'content-length', 'set-cookie', 'set-cookie', 'x-forwarded-for', 'x-request-id', 'te']);
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
    const out = requestHeaders(raw, facts);
    assert.equal(headerOf(out, 'x-forwarded-client-cert'), undefined);
    assert.equal(headerOf(out, 'x-isthmus-local-origin'), undefined);
    assert.equal(headerOf(out, 'x-forwarded-for'), '1.1.1.1, 2.2.2.2, 10.0.0.9');
    assert.equal(headerOf(requestHeaders(raw, { ...facts, clientCert: 'By=me' }), 'x-forwarded-client-cert'), 'By=me');
    assert.equal(headerOf(responseHeaders(['X-Isthmus-Local-Origin', 'UF']), 'x-isthmus-local-origin'), undefined);
  });

  test('trailers that would change how a message is read are dropped', () => {
    const raw = ['x-sum', '1', 'Content-Length', '9', 'Authorization', 'x', 'X-Forwarded-Client-Cert', 'x', 'Transfer-Encoding', 'x'];
    assert.deepEqual(trailerPairs(raw), [['x-sum', '1']]);
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
      const checked = checkRequest(method, url, '1.1', ['host', 'a'], 100);
      return checked.ok ? checked.target : checked.status;
    };
    assert.deepEqual(check('GET', '/a?b'), { path: '/a?b' });
    assert.deepEqual(check('GET', 'http://b:80/x?y'), { path: '/x?y', authority: 'b:80' });
    assert.deepEqual(check('GET', 'http://b?y'), { path: '/?y', authority: 'b' });
    assert.deepEqual(check('OPTIONS', '*'), { path: '*' });
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
