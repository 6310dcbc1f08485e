import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { HttpBackend, UpgradeHandler } from '../backends/http-backend.ts';
import { headersThatMatter } from '../clients/http-call.ts';
import { dial, httpOf, listen, rawCall } from '../clients/raw-call.ts';
import { type Case, Digest, pattern } from '../outcome.ts';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
const handshake = `GET /socket?room=1 HTTP/1.1\r\nhost: app.shop.mesh.internal\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${key}\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: chat\r\n\r\n`;
const switched = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`;

/** RFC 6455 by hand, as what matters here are bytes and ends. */
export const webSocket: readonly Case<HttpBackend>[] = [
  {
    name: 'WebSocket: handshake, a frame each way, the app ends',
    run: async ({ port, backend }) => {
      let request = '';
      let asked = {};
      upgrade(backend, (incoming, socket) => {
        request = `${incoming.method} ${incoming.url} ${incoming.headers.upgrade} ${incoming.headers['sec-websocket-protocol']}`;
        asked = headersThatMatter(incoming.rawHeaders);
        socket.write(switched);
        socket.once('data', (frame: Buffer) => socket.end(Buffer.concat([Buffer.from('got '), frame])));
      });
      const socket = await dial(port);
      socket.write(handshake);
      const head = await listen(socket, { until: (bytes) => bytes.includes('\r\n\r\n') });
      socket.write('frame');
      const rest = await listen(socket);
      socket.destroy();
      const lines = head.bytes.toString().split('\r\n').filter(Boolean);
      const answered = headersThatMatter(lines.slice(1).flatMap((line) => line.split(': ')));
      return { request, asked, status: lines[0] ?? '', answered, frame: rest.bytes.toString(), ended: rest.ended };
    },
  },
  {
    name: 'WebSocket: the server speaks first',
    run: async ({ port, backend }) => {
      upgrade(backend, (_request, socket) => void socket.end(`${switched}hello`));
      const { body, ended } = httpOf(await rawCall({ port, send: handshake }));
      return { body, ended };
    },
  },
  {
    name: 'WebSocket: the caller ends its side, the app answers and ends',
    run: async ({ port, backend }) => {
      upgrade(backend, (_request, socket) => {
        socket.write(switched);
        socket.once('end', () => socket.end('goodbye'));
      });
      const socket = await dial(port);
      socket.write(handshake);
      await listen(socket, { until: (bytes) => bytes.includes('\r\n\r\n') });
      socket.end();
      const rest = await listen(socket);
      socket.destroy();
      return { after: rest.bytes.toString(), ended: rest.ended };
    },
  },
  {
    name: 'WebSocket: the app resets',
    run: async ({ port, backend }) => {
      upgrade(backend, (_request, socket) => {
        socket.write(switched);
        socket.once('data', () => (socket as Socket).resetAndDestroy());
      });
      const socket = await dial(port);
      socket.write(handshake);
      await listen(socket, { until: (bytes) => bytes.includes('\r\n\r\n') });
      socket.write('frame');
      const rest = await listen(socket);
      return { ended: rest.ended };
    },
  },
  {
    name: 'WebSocket: 4 MB both ways',
    run: async ({ port, backend }) => {
      const sent = pattern(4 * 1024 * 1024);
      upgrade(backend, (_request, socket) => {
        socket.write(switched);
        socket.pipe(socket);
      });
      const socket = await dial(port);
      socket.write(handshake);
      await listen(socket, { until: (bytes) => bytes.includes('\r\n\r\n') });
      const digest = new Digest();
      await new Promise<void>((resolve) => {
        socket.on('data', (chunk: Buffer) => {
          digest.add(chunk);
          if (digest.bytes >= sent.length) resolve();
        });
        socket.once('close', resolve);
        socket.write(sent);
      });
      socket.destroy();
      return digest.text;
    },
  },
  {
    name: 'WebSocket: the app refuses',
    run: async ({ port, backend }) => {
      const refusal = 'HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\nx-why: room\r\n\r\nnot me';
      upgrade(backend, (_request, socket) => void socket.end(refusal));
      const answer = await rawCall({ port, send: handshake, until: (bytes) => bytes.includes('not me') });
      return { status: httpOf(answer).status, body: httpOf(answer).body, why: answer.bytes.includes('room') };
    },
  },
];

function upgrade(backend: HttpBackend, handler: UpgradeHandler): void {
  backend.behave((_request, response) => void response.writeHead(400).end('no upgrade came'), handler);
}
