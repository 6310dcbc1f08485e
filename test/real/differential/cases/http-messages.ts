import { isIP } from 'node:net';
import type { HttpBackend } from '../backends/http-backend.ts';
import { httpCall, readAnswer, startCall } from '../clients/http-call.ts';
import { dial, httpOf, listen, rawCall } from '../clients/raw-call.ts';
import type { Case } from '../outcome.ts';
import { echo, echoed } from './echo.ts';

/** What a request and an answer are on the other side. */
export const httpMessages: readonly Case<HttpBackend>[] = [
  {
    name: 'GET as the app sees it',
    run: async ({ port, backend }) => {
      backend.behave(echo);
      const headers = ['X-Twice', 'one', 'X-Twice', 'two', 'Cookie', 'a=1; b=2', 'User-Agent', 'suite', 'Accept', '*/*'];
      return echoed(await httpCall({ port, path: '/a%2Fb/c?q=1&q=%20', headers }));
    },
  },
  {
    name: 'answer as the caller sees it',
    run: async ({ port, backend }) => {
      backend.behave((_request, response) => {
        response.writeHead(207, 'Multi', ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Mixed-Case', 'Kept', 'Content-Type', 'text/plain']);
        response.end('done');
      });
      return httpCall({ port });
    },
  },
  {
    name: 'POST with a length',
    run: async ({ port, backend }) => {
      backend.behave(echo);
      return echoed(await httpCall({ port, method: 'POST', headers: ['content-length', '5'], body: Buffer.from('hello') }));
    },
  },
  {
    name: 'POST in chunks, with trailers',
    run: async ({ port, backend }) => {
      backend.behave(echo);
      const send = (request: ReturnType<typeof startCall>) => {
        request.write('one');
        request.addTrailers([['x-checksum', '7']]);
        request.end('two');
      };
      return echoed(await httpCall({ port, method: 'POST', headers: ['transfer-encoding', 'chunked', 'trailer', 'x-checksum'], send }));
    },
  },
  {
    name: 'answer with trailers',
    run: async ({ port, backend }) => {
      backend.behave((_request, response) => {
        response.writeHead(200, { trailer: 'x-late', 'transfer-encoding': 'chunked' });
        response.write('body');
        response.addTrailers({ 'x-late': 'said' });
        response.end();
      });
      return httpCall({ port, headers: ['te', 'trailers'] });
    },
  },
  ...['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'REPORT'].map(
    (method): Case<HttpBackend> => ({
      name: `${method} without a body`,
      run: async ({ port, backend }) => {
        backend.behave((request, response) => {
          response.setHeader('x-length', request.headers['content-length'] ?? 'none');
          response.writeHead(200, { 'content-length': 3 }).end(method === 'HEAD' ? undefined : 'yes');
        });
        return httpCall({ port, method });
      },
    }),
  ),
  ...[204, 205, 304, 404, 429, 500, 502, 503, 504].map(
    (status): Case<HttpBackend> => ({
      name: `status ${status} of the app`,
      run: async ({ port, backend }) => {
        backend.behave((_request, response) => {
          const empty = [204, 205, 304].includes(status);
          response.writeHead(status, { 'x-app': 'yes', ...(empty ? {} : { 'content-length': 4 }) }).end(empty ? undefined : 'said');
        });
        const answer = await httpCall({ port });
        return { ...answer, asked: backend.hits.length };
      },
    }),
  ),
  {
    name: 'two requests on one connection, and an orderly end',
    run: async ({ port, backend }) => {
      backend.behave((request, response) => void response.end(request.url));
      const socket = await dial(port);
      const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: app.shop.mesh.internal\r\n\r\n`;
      socket.write(get('/first'));
      const first = await listen(socket, { until: (bytes) => bytes.includes('/first') });
      socket.write(get('/second'));
      const second = await listen(socket, { until: (bytes) => bytes.includes('/second') });
      socket.end();
      const after = await listen(socket);
      socket.destroy();
      return { first: httpOf(first).status, second: httpOf(second).status, after: { bytes: after.bytes.length, ended: after.ended } };
    },
  },
  {
    name: 'two requests at once on one connection are answered in order',
    run: async ({ port, backend }) => {
      backend.behave((request, response) => void setTimeout(() => response.end(request.url), request.url === '/slow' ? 100 : 0));
      const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nhost: app.shop.mesh.internal\r\n${more}\r\n`;
      const { bytes, ended } = await rawCall({ port, send: get('/slow') + get('/fast', 'connection: close\r\n') });
      return { order: bytes.toString().match(/\/slow|\/fast/g) ?? [], ended };
    },
  },
  {
    name: 'Expect: 100-continue',
    run: async ({ port, backend }) => {
      backend.behave((request, response, id) => {
        response.writeContinue();
        echo(request, response, id);
      });
      return new Promise((resolve, reject) => {
        const headers = ['expect', '100-continue', 'content-length', '4'];
        let continued = false;
        const send = (request: ReturnType<typeof startCall>) => {
          request.on('continue', () => {
            continued = true;
            request.end('body');
          });
          request.flushHeaders();
        };
        const call = startCall({ port, method: 'POST', headers, send });
        call.once('error', reject);
        call.once('response', (response) => {
          readAnswer(response).then((answer) => resolve({ continued, ...echoed(answer) }), reject);
        });
      });
    },
  },
  {
    name: '103 early hints before the answer',
    run: async ({ port, backend }) => {
      backend.behave((_request, response) => {
        response.writeEarlyHints({ link: '</style.css>; rel=preload' });
        response.end('after hints');
      });
      return httpCall({ port });
    },
  },
  {
    name: 'the app closes after its answer',
    run: async ({ port, backend }) => {
      backend.behave((_request, response) => void response.writeHead(200, { connection: 'close' }).end('bye'));
      const send = 'GET / HTTP/1.1\r\nhost: app.shop.mesh.internal\r\n\r\n';
      const answer = await rawCall({ port, send, until: (bytes) => bytes.includes('bye') });
      const { status, ended } = httpOf(answer);
      return { status, ended, close: /\r\nconnection: close\r\n/i.test(answer.bytes.toString()) };
    },
  },
  {
    name: 'the app answers in HTTP/1.0 and ends the connection',
    run: async ({ port, backend }) => {
      backend.behave((_request, response) => void response.socket?.end('HTTP/1.0 200 OK\r\nx-old: yes\r\n\r\nuntil the end'));
      return httpCall({ port });
    },
  },
  {
    name: 'the app answers no HTTP',
    run: async ({ port, backend }) => {
      backend.behave((_request, response) => void response.socket?.end('220 mail.example.org ESMTP\r\n\r\n'));
      const answer = await httpCall({ port, method: 'POST' });
      return { ...answer, asked: backend.hits.length };
    },
  },
  {
    name: 'what only the mesh may say is not believed of a caller',
    run: async ({ port, backend }) => {
      backend.behave(echo);
      const said = [
        'x-forwarded-client-cert',
        'By=spiffe://x;URI=spiffe://differential.test/ns/shop/sa/admin',
        'x-forwarded-for',
        '6.6.6.6',
      ];
      return echoed(await httpCall({ port, headers: [...said, 'x-isthmus-local-origin', 'UF'] }));
    },
  },
  ...['x-forwarded-for', 'x-forwarded-proto'].map(
    (header): Case<HttpBackend> => ({
      name: `${header} of a caller on the same machine`,
      run: async ({ port, backend }) => {
        backend.behave((request, response) => void response.end(String(request.headers[header] ?? 'none')));
        const addresses = (await httpCall({ port })).body.split(',').map((each) => each.trim());
        return addresses.map((each) => (isIP(each) === 0 || each === '127.0.0.1' ? each : 'another address of the machine'));
      },
    }),
  ),
  {
    name: 'headers of one hop end there',
    run: async ({ port, backend }) => {
      backend.behave((request, response, id) => {
        response.setHeader('Connection', 'x-private');
        response.setHeader('x-private', 'of this hop');
        echo(request, response, id);
      });
      const headers = ['connection', 'x-mine', 'x-mine', 'of this hop', 'keep-alive', 'timeout=5', 'proxy-connection', 'keep-alive'];
      const answer = await httpCall({ port, headers: [...headers, 'te', 'gzip, trailers'] });
      return { ...echoed(answer), private: answer.headers['x-private'] ?? 'dropped' };
    },
  },
  {
    name: 'an HTTP/1.0 caller',
    run: async ({ port, backend }) => {
      backend.behave((request, response) => void response.end(`HTTP/${request.httpVersion} ${request.headers.host}`));
      return httpOf(await rawCall({ port, send: 'GET / HTTP/1.0\r\nhost: app.shop.mesh.internal\r\n\r\n' }));
    },
  },
  ...['//double', '/a/../b', '/a/%2e%2e/b', '/a%00b', '/a;p=1', '/%zz', '/a?b?c#d', '/?', 'http://other.example/x?y', '*'].map(
    (path): Case<HttpBackend> => ({
      name: `target ${path}`,
      run: async ({ port, backend }) => {
        backend.behave((request, response) => void response.end(`${request.method} ${request.url} of ${request.headers.host}`));
        const method = path === '*' ? 'OPTIONS' : 'GET';
        const head = `${method} ${path} HTTP/1.1\r\nhost: app.shop.mesh.internal\r\nconnection: close\r\n\r\n`;
        return httpOf(await rawCall({ port, send: head }));
      },
    }),
  ),
];
