import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readRequest } from '../../../gateway/forward/http1/read-request.ts';
import { readRequest as readHttp2Request } from '../../../gateway/forward/http2/read-request.ts';

const hostile = ['/x', '?x', '#x', '\\x', '"', '<', '{', ' ', '@x', '^', '`', '|', '\u00e9'].flatMap((end) => [
  `evil.com${end}`,
  `a${end}.example.com`,
]);
const plain = ['', 'a.example', 'A_b-c.example:8080', '[::1]', '[fe80::1%25eth0]:80', '127.0.0.1:1', '*.example', "!$&'()*+,;=~"];

describe('who is asked', () => {
  const http1 = (host: string) => readRequest({ method: 'GET', url: '/p', httpVersion: '1.1', rawHeaders: ['Host', host] }, 'http', 10);
  const absolute = (host: string) =>
    readRequest({ method: 'GET', url: `http://${host}/p`, httpVersion: '1.1', rawHeaders: ['Host', 'a.example'] }, 'http', 10);
  const http2 = (name: string, host: string) => readHttp2Request([':method', 'GET', ':path', '/p', name, host], true, 'http', 10);

  test('what could be read as more than a host is refused', () => {
    for (const host of hostile) {
      assert.deepEqual(http1(host), { ok: false, status: 400, detail: 'bad_host' }, host);
      assert.deepEqual(http2(':authority', host).refused, { status: 400, detail: 'bad_host' }, host);
      assert.deepEqual(http2('host', host).refused, { status: 400, detail: 'bad_host' }, host);
    }
    for (const end of ['\\x', '"', '<', '{', '^', '`', '|', '\u00e9', ' ', '@x']) assert.equal(absolute(`evil.com${end}`).ok, false, end);
  });

  test('hosts with and without port are not', () => {
    for (const host of plain) {
      const read = http1(host);
      assert.equal(read.ok && read.head.authority, host);
      assert.equal(http2(':authority', host).refused, undefined, host);
      if (host !== '') assert.equal(absolute(host).ok, true, host);
    }
  });
});
