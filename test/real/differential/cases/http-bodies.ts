import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../../support/until.ts';
import type { HttpBackend } from '../backends/http-backend.ts';
import { httpCall, readAnswer, startCall } from '../clients/http-call.ts';
import { type Case, Digest, pattern } from '../outcome.ts';
import { echo, echoed } from './echo.ts';

const large = pattern(8 * 1024 * 1024);
const endless = 512 * 1024 * 1024;

/** Bodies that are long, slow, cut off, or not wanted any more. */
export const httpBodies: readonly Case<HttpBackend>[] = [
  {
    name: '8 MB up',
    run: async ({ port, backend }) => {
      backend.behave(echo);
      return echoed(await httpCall({ port, method: 'POST', headers: ['content-length', String(large.length)], body: large }));
    },
  },
  {
    name: '8 MB up in chunks',
    run: async ({ port, backend }) => {
      backend.behave(echo);
      return echoed(await httpCall({ port, method: 'POST', headers: ['transfer-encoding', 'chunked'], body: large }));
    },
  },
  {
    name: '8 MB down',
    run: async ({ port, backend }) => {
      backend.behave((_request, response) => void response.writeHead(200, { 'content-length': large.length }).end(large));
      return httpCall({ port });
    },
  },
  {
    name: '8 MB both ways at once',
    run: async ({ port, backend }) => {
      backend.behave((request, response) => void request.pipe(response));
      return httpCall({ port, method: 'POST', headers: ['transfer-encoding', 'chunked'], body: large });
    },
  },
  {
    name: 'a slow reader gets everything',
    run: async ({ port, backend }) => {
      backend.behave((_request, response) => void response.writeHead(200, { 'content-length': large.length }).end(large));
      const response = await answerOf(port);
      const digest = new Digest();
      for await (const chunk of response) {
        digest.add(chunk as Buffer);
        if (digest.bytes % 16 === 0) await delay(1);
      }
      return { status: response.statusCode ?? 0, body: digest.text };
    },
  },
  {
    name: 'a caller that does not read holds the app back',
    run: async ({ port, backend }) => {
      let written = 0;
      const chunk = Buffer.alloc(256 * 1024);
      backend.behave((_request, response) => {
        response.writeHead(200);
        const more = () => {
          while (written < endless && !response.destroyed) {
            written += chunk.length;
            if (!response.write(chunk)) break;
          }
        };
        response.on('drain', more);
        more();
      });
      const response = await answerOf(port);
      response.pause();
      const settled = await settlement(() => written);
      response.destroy();
      return { heldBack: settled < endless };
    },
  },
  {
    name: 'an app that does not read holds the caller back',
    run: async ({ port, backend }) => {
      backend.behave((request) => void request.pause());
      let written = 0;
      const chunk = Buffer.alloc(256 * 1024);
      const call = startCall({
        port,
        method: 'POST',
        headers: ['transfer-encoding', 'chunked'],
        send: (request) => {
          const more = () => {
            while (written < endless && !request.destroyed) {
              written += chunk.length;
              if (!request.write(chunk)) break;
            }
          };
          request.on('drain', more);
          more();
        },
      });
      call.on('error', () => {});
      const settled = await settlement(() => written);
      call.destroy();
      return { heldBack: settled < endless };
    },
  },
  brokenAnswer('the app resets in the middle of its answer', { 'content-length': 1_000_000 }, (socket) => socket.resetAndDestroy()),
  brokenAnswer('the app ends before its answer is whole', { 'content-length': 1_000 }, (socket) => socket.end()),
  brokenAnswer('a chunked answer is cut off', { 'transfer-encoding': 'chunked' }, (socket) => socket.end()),
  ...(['POST', 'GET'] as const).flatMap((method) =>
    (['ends', 'resets'] as const).map(
      (how): Case<HttpBackend> => ({
        name: `the app ${how} the connection instead of answering a ${method}`,
        run: async ({ port, backend }) => {
          backend.behave((request) => void (how === 'ends' ? request.socket.end() : request.socket.resetAndDestroy()));
          const { status, body } = await httpCall({ port, method, ...(method === 'POST' ? { body: Buffer.from('x') } : {}) });
          return { status, body, asked: backend.hits.length };
        },
      }),
    ),
  ),
  {
    name: 'the app answers before it has read the body',
    run: async ({ port, backend }) => {
      backend.behave((_request, response) => void response.writeHead(413, { connection: 'close' }).end('too much'));
      const call = startCall({
        port,
        method: 'POST',
        headers: ['transfer-encoding', 'chunked'],
        send: (request) => void request.write('some'),
      });
      call.on('error', () => {});
      const response = await new Promise<IncomingMessage>((resolve) => call.once('response', resolve));
      const { status, body } = await readAnswer(response);
      call.destroy();
      return { status, body };
    },
  },
  {
    name: 'the app sees that the caller has gone',
    run: async ({ port, backend }) => {
      const seen = new Promise<string>((resolve) => {
        backend.behave((request, response) => {
          response.once('close', () => resolve(response.writableFinished ? 'finished' : 'gone'));
          request.resume();
        });
      });
      const call = startCall({ port });
      call.on('error', () => {});
      await until('the app was asked', () => backend.hits.length > 0);
      call.destroy();
      return { app: await seen };
    },
  },
  {
    name: 'the app sees that a body breaks off',
    run: async ({ port, backend }) => {
      const seen = new Promise<string>((resolve) => {
        backend.behave((request) => {
          request.resume();
          request.once('end', () => resolve(request.complete ? 'whole' : 'broken'));
          request.once('close', () => resolve(request.complete ? 'whole' : 'broken'));
        });
      });
      const headers = ['content-length', '1000'];
      const call = startCall({ port, method: 'POST', headers, send: (request) => void request.write('a part of it') });
      call.on('error', () => {});
      await until('the app was asked', () => backend.hits.length > 0);
      call.destroy();
      return { app: await seen };
    },
  },
];

/** Breaks off once the caller has what was sent: a reset overtakes bytes on their way. */
function brokenAnswer(name: string, headers: OutgoingHttpHeaders, breakOff: (socket: Socket) => void): Case<HttpBackend> {
  return {
    name,
    run: async ({ port, backend }) => {
      let socket: Socket | undefined;
      backend.behave((request, response) => {
        socket = request.socket;
        response.writeHead(200, headers);
        response.write('beginning');
      });
      const response = await answerOf(port);
      response.once('data', () => socket !== undefined && breakOff(socket));
      const { status, ended, body } = await readAnswer(response);
      return { status, ended, body };
    },
  };
}

function answerOf(port: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = httpRequest({ host: '127.0.0.1', port, agent: false, headers: { host: 'app.shop.mesh.internal' } });
    call.on('error', reject);
    call.once('response', resolve);
    call.end();
  });
}

/** The count once it has stood still for half a second, or reached the end. */
export async function settlement(count: () => number): Promise<number> {
  for (let last = -1; last !== count() && count() < endless; ) {
    last = count();
    await delay(500);
  }
  return count();
}
