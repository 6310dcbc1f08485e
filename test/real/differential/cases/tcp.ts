import type { Socket } from 'node:net';
import type { TcpBackend } from '../backends/tcp-backend.ts';
import { dial, listen, type RawAnswer, rawCall } from '../clients/raw-call.ts';
import { type Case, Digest, type Outcome, pattern } from '../outcome.ts';
import { settlement } from './http-bodies.ts';

const large = pattern(16 * 1024 * 1024);
const endless = 512 * 1024 * 1024;

/** Byte streams: who speaks first, who ends first, who breaks off. */
export const tcpCases: readonly Case<TcpBackend>[] = [
  {
    name: 'the server speaks first, and ends first',
    run: async ({ port, backend }) => {
      backend.behave((socket) => void socket.end('220 ready\r\n'));
      return text(await rawCall({ port }));
    },
  },
  {
    name: 'a conversation that the server begins',
    run: async ({ port, backend }) => {
      backend.behave((socket) => {
        socket.write('who? ');
        socket.once('data', (name: Buffer) => socket.end(`hello ${name.toString()}`));
      });
      const socket = await dial(port);
      const question = await listen(socket, { until: (bytes) => bytes.includes('?') });
      socket.write('me');
      const answer = await listen(socket);
      socket.destroy();
      return { question: question.bytes.toString(), ...text(answer) };
    },
  },
  {
    name: 'the caller ends its side, then the server answers',
    run: async ({ port, backend }) => {
      backend.behave((socket) => {
        const digest = new Digest();
        socket.on('data', (chunk: Buffer) => digest.add(chunk));
        socket.once('end', () => socket.end(digest.text));
      });
      return text(await rawCall({ port, send: pattern(100_000), end: true }));
    },
  },
  {
    name: 'the caller ends its side at once, without a byte',
    run: async ({ port, backend }) => {
      backend.behave((socket) => void socket.resume().once('end', () => socket.end('nothing came')));
      return text(await rawCall({ port, end: true }));
    },
  },
  {
    name: 'the server ends its side, and the caller goes on',
    run: async ({ port, backend }) => {
      const received = new Promise<Outcome>((resolve) => {
        backend.behave((socket) => {
          socket.end('no more of me');
          listen(socket).then((answer) => resolve(text(answer)), resolve);
        });
      });
      const socket = await dial(port);
      const first = await listen(socket);
      socket.end('but of me');
      return { caller: text(first), server: await received };
    },
  },
  {
    name: '16 MB up',
    run: async ({ port, backend }) => {
      backend.behave(digestThenAnswer);
      return text(await rawCall({ port, send: large, end: true }));
    },
  },
  {
    name: '16 MB down',
    run: async ({ port, backend }) => {
      backend.behave((socket) => void socket.end(large));
      const { bytes, ended } = await rawCall({ port });
      return { body: digestOf(bytes), ended };
    },
  },
  {
    name: '16 MB echoed',
    run: async ({ port, backend }) => {
      backend.behave((socket) => void socket.pipe(socket));
      const { bytes, ended } = await rawCall({ port, send: large, end: true });
      return { body: digestOf(bytes), ended };
    },
  },
  {
    name: '1,000 small writes',
    run: async ({ port, backend }) => {
      backend.behave((socket) => void socket.pipe(socket));
      const socket = await dial(port);
      for (let i = 0; i < 1_000; i++) socket.write(`${i};`);
      socket.end();
      const { bytes, ended } = await listen(socket);
      return { body: digestOf(bytes), ended };
    },
  },
  {
    name: 'a caller that does not read holds the server back',
    run: async ({ port, backend }) => {
      let written = 0;
      backend.behave((socket) => void endlessly(socket, (length) => (written += length)));
      const socket = await dial(port);
      socket.pause();
      const heldBack = (await settlement(() => written)) < endless;
      socket.destroy();
      return { heldBack };
    },
  },
  {
    name: 'a server that does not read holds the caller back',
    run: async ({ port, backend }) => {
      backend.behave((socket) => void socket.pause());
      let written = 0;
      const socket = await dial(port);
      endlessly(socket, (length) => (written += length));
      const heldBack = (await settlement(() => written)) < endless;
      socket.destroy();
      return { heldBack };
    },
  },
  ...(['resets', 'ends'] as const).flatMap((how) =>
    (['answering', 'anybody has said anything'] as const).map(
      (before): Case<TcpBackend> => ({
        name: `the server ${how} before ${before}`,
        run: async ({ port, backend }) => {
          const leave = (socket: Socket) => void (how === 'resets' ? socket.resetAndDestroy() : socket.resume().end());
          if (before === 'answering') backend.behave((socket) => void socket.once('data', () => leave(socket)));
          else backend.behave(leave);
          const { bytes, ended } = await rawCall({ port, ...(before === 'answering' ? { send: 'question' } : {}) });
          // A reset may overtake the news of it: the kernel tells a writer of the break, and then a reader of an end.
          return { bytes: bytes.length, ended: how === 'resets' && before === 'answering' && ended !== 'open' ? 'end or reset' : ended };
        },
      }),
    ),
  ),
  {
    name: 'the server resets in the middle',
    run: async ({ port, backend }) => {
      let answering: Socket | undefined;
      backend.behave((socket) => {
        answering = socket;
        socket.once('data', () => socket.write('half an'));
      });
      const socket = await dial(port);
      socket.write('question');
      const half = await listen(socket, { until: (bytes) => bytes.includes('half an') });
      // Not before the caller has what was sent: a reset overtakes bytes on their way.
      answering?.resetAndDestroy();
      const rest = await listen(socket);
      socket.destroy();
      return text({ bytes: Buffer.concat([half.bytes, rest.bytes]), ended: rest.ended });
    },
  },
  {
    name: 'the caller resets, and the server sees a break',
    run: async ({ port, backend }) => {
      const seen = new Promise<Outcome>((resolve) => {
        backend.behave((socket) => {
          // Not before it has the question: a reset overtakes bytes on their way.
          socket.once('data', () => socket.write('ready'));
          // After the cases above a gateway may look first whether anybody is there, by a connection without a byte.
          listen(socket).then((answer) => answer.bytes.length > 0 && resolve(text(answer)), resolve);
        });
      });
      const socket = await dial(port);
      socket.write('question');
      await listen(socket, { until: (bytes) => bytes.includes('ready') });
      socket.resetAndDestroy();
      return { server: await seen };
    },
  },
  {
    name: '50 connections at once keep apart',
    run: async ({ port, backend }) => {
      backend.behave((socket) => void socket.pipe(socket));
      const names = Array.from({ length: 50 }, (_, i) => `connection ${i} `.repeat(100));
      const answers = await Promise.all(names.map((name) => rawCall({ port, send: name, end: true })));
      return { right: answers.filter(({ bytes }, i) => bytes.toString() === names[i]).length };
    },
  },
];

function text({ bytes, ended }: RawAnswer): { readonly text: string; readonly ended: string } {
  return { text: bytes.toString(), ended };
}

function digestOf(bytes: Buffer): string {
  const digest = new Digest();
  digest.add(bytes);
  return digest.text;
}

function digestThenAnswer(socket: Socket): void {
  const digest = new Digest();
  socket.on('data', (chunk: Buffer) => digest.add(chunk));
  socket.once('end', () => socket.end(digest.text));
}

function endlessly(socket: Socket, count: (length: number) => void): void {
  const chunk = Buffer.alloc(256 * 1024);
  let written = 0;
  const more = () => {
    while (written < endless && !socket.destroyed) {
      written += chunk.length;
      count(chunk.length);
      if (!socket.write(chunk)) break;
    }
  };
  socket.on('drain', more);
  more();
}
