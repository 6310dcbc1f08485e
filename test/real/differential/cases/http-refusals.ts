import type { HttpBackend } from '../backends/http-backend.ts';
import { httpOf, rawCall } from '../clients/raw-call.ts';
import type { Case } from '../outcome.ts';

const host = 'host: app.shop.mesh.internal\r\n';

/** Requests that two hops could read differently, or that are beyond a limit; raw, as no client library sends them. */
const requests: Readonly<Record<string, string>> = {
  'a length and chunks': `POST / HTTP/1.1\r\n${host}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  'two lengths': `POST / HTTP/1.1\r\n${host}content-length: 4\r\ncontent-length: 5\r\n\r\nabcde`,
  'two equal lengths': `POST / HTTP/1.1\r\n${host}content-length: 4\r\ncontent-length: 4\r\n\r\nabcd`,
  'a length with a sign': `POST / HTTP/1.1\r\n${host}content-length: +4\r\n\r\nabcd`,
  'a transfer coding that is not known': `POST / HTTP/1.1\r\n${host}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  'a chunk size that is none': `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\nzz\r\n\r\n`,
  'a chunk longer than it says': `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n2\r\nabcdef\r\n0\r\n\r\n`,
  'two hosts': `GET / HTTP/1.1\r\n${host}host: other.example\r\n\r\n`,
  'no host': 'GET / HTTP/1.1\r\nx-other: 1\r\n\r\n',
  'a folded header': `GET / HTTP/1.1\r\n${host}x-long: one\r\n two\r\n\r\n`,
  'a space before the colon': `GET / HTTP/1.1\r\n${host}x-odd : 1\r\n\r\n`,
  'a zero byte in a header': `GET / HTTP/1.1\r\n${host}x-odd: a\0b\r\n\r\n`,
  'lines that end in LF alone': 'GET / HTTP/1.1\nhost: app.shop.mesh.internal\n\n',
  'a method that is none': `G@T / HTTP/1.1\r\n${host}\r\n`,
  'no HTTP': 'SSH-2.0-OpenSSH_9.6\r\n\r\n',
  'HTTP/3.0 in the first line': `GET / HTTP/3.0\r\n${host}\r\n`,
  CONNECT: 'CONNECT app.shop.mesh.internal:80 HTTP/1.1\r\nhost: app.shop.mesh.internal:80\r\n\r\n',
  TRACE: `TRACE / HTTP/1.1\r\n${host}\r\n`,
  '40 KB of headers': `GET / HTTP/1.1\r\n${host}${longHeaders(40)}\r\n`,
  '80 KB of headers': `GET / HTTP/1.1\r\n${host}${longHeaders(80)}\r\n`,
  '90 headers': `GET / HTTP/1.1\r\n${host}${manyHeaders(90)}\r\n`,
  '150 headers': `GET / HTTP/1.1\r\n${host}${manyHeaders(150)}\r\n`,
  'an upgrade to h2c': `GET / HTTP/1.1\r\n${host}connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n`,
  'an unknown expectation': `GET / HTTP/1.1\r\n${host}expect: 200-ok\r\n\r\n`,
};

function longHeaders(kilobytes: number): string {
  return Array.from({ length: kilobytes }, (_, i) => `x-fill-${i}: ${'f'.repeat(1_000)}\r\n`).join('');
}

function manyHeaders(count: number): string {
  return Array.from({ length: count }, (_, i) => `x-h${i}: v\r\n`).join('');
}

export const httpRefusals: readonly Case<HttpBackend>[] = Object.entries(requests).map(([name, send]) => ({
  name: `request with ${name}`,
  run: async ({ port, backend }) => {
    let whole = 0;
    backend.behave((request, response) => {
      request.resume().once('end', () => {
        if (!request.complete) return;
        whole += 1;
        response.end('through');
      });
    });
    const answer = await rawCall({ port, send, quietMs: 1_500, until: (bytes) => bytes.includes('through') });
    const { status, ended } = httpOf(answer);
    const through = answer.bytes.includes('through');
    // Where a request was refused, the connection must not carry another; where it was not, it may.
    return { status: status.split(' ').slice(0, 2).join(' '), through, whole, ...(through ? {} : { ended }) };
  },
}));
