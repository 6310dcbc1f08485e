import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import type { Http2Backend } from '../backends/http2-backend.ts';
import { headersThatMatter } from '../clients/http-call.ts';
import { type Case, Digest, type Outcome, pattern } from '../outcome.ts';

const large = pattern(4 * 1024 * 1024);

/** HTTP/2 with prior knowledge at both ends. */
export const http2Cases: readonly Case<Http2Backend>[] = [
  http2Case('GET as the app sees it, and its answer', async (session, backend) => {
    let saw: Outcome = {};
    backend.behave((stream, headers) => {
      saw = headersOf(headers);
      stream.respond({ ':status': 207, 'x-app': ['one', 'two'], 'set-cookie': ['a=1', 'b=2'] });
      stream.end('done');
    });
    const answer = await exchange(session, { ':path': '/a?b=c', 'x-mine': 'yes', cookie: 'a=1; b=2' });
    return { saw, answer };
  }),
  http2Case('trailers both ways', async (session, backend) => {
    let trailers: Outcome = {};
    backend.behave((stream) => {
      stream.on('trailers', (got) => {
        trailers = headersOf(got);
      });
      stream.resume();
      stream.on('end', () => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-late': 'of the app' }));
        stream.end('body');
      });
    });
    const stream = session.request(
      { ':method': 'POST', ':path': '/', ':authority': authority },
      { waitForTrailers: true, endStream: false },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-late': 'of the caller' }));
    stream.end('request body');
    return { answer: await readStream(stream), trailers };
  }),
  http2Case('4 MB both ways at once', async (session, backend) => {
    backend.behave((stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    return exchange(session, { ':method': 'POST' }, large);
  }),
  http2Case('50 streams at once keep apart', async (session, backend) => {
    backend.behave((stream, headers) => {
      stream.respond({ ':status': 200 });
      setTimeout(() => stream.end(`answer to ${headers[':path']}`), 20);
    });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => exchange(session, { ':path': `/${i}` })));
    return { right: answers.filter((answer, i) => (answer as { body: string }).body === `answer to /${i}`).length };
  }),
  http2Case('the app resets a stream that it has begun to answer', async (session, backend) => {
    let leave = () => {};
    backend.behave((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('part');
      // Its close() would end the stream in order first.
      leave = () => stream.destroy(new Error('reset'));
    });
    const stream = session.request({ ':path': '/', ':authority': authority });
    stream.once('data', () => leave());
    return readStream(stream);
  }),
  http2Case('the app goes away after its answer', async (session, backend) => {
    backend.behave((stream) => {
      stream.respond({ ':status': 200 });
      stream.end('last');
      stream.session?.close();
    });
    const { status, body } = (await exchange(session, {})) as { status: number; body: string };
    return { status, body };
  }),
  http2Case('the app sees that the caller resets a stream', async (session, backend) => {
    const seen = new Promise<number>((resolve) => {
      backend.behave((stream) => {
        stream.respond({ ':status': 200 });
        stream.write('part');
        stream.on('close', () => resolve(stream.rstCode));
      });
    });
    const stream = session.request({ ':path': '/', ':authority': authority });
    stream.on('error', () => {});
    stream.once('data', () => stream.close(constants.NGHTTP2_CANCEL));
    return { code: await seen };
  }),
];

const authority = 'app.shop.mesh.internal';

function http2Case(name: string, play: (session: ClientHttp2Session, backend: Http2Backend) => Promise<Outcome>): Case<Http2Backend> {
  return {
    name: `HTTP/2: ${name}`,
    run: async ({ port, backend }) => {
      const session = connect(`http://127.0.0.1:${port}`);
      session.on('error', () => {});
      try {
        return await play(session, backend);
      } finally {
        session.destroy();
      }
    },
  };
}

function exchange(session: ClientHttp2Session, headers: Record<string, string>, body?: Buffer): Promise<Outcome> {
  const stream = session.request({ ':path': '/', ':authority': authority, ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return readStream(stream);
}

function readStream(stream: ClientHttp2Stream): Promise<Outcome> {
  return new Promise((resolve) => {
    const digest = new Digest();
    const parts: Buffer[] = [];
    let status = 0;
    let headers: Outcome = {};
    let trailers: Outcome = {};
    stream.on('response', (got) => {
      status = got[':status'] ?? 0;
      headers = headersOf(got);
    });
    stream.on('trailers', (got) => {
      trailers = headersOf(got);
    });
    stream.on('data', (chunk: Buffer) => {
      digest.add(chunk);
      if (digest.bytes <= 512) parts.push(chunk);
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      const body = digest.bytes <= 512 ? Buffer.concat(parts).toString() : digest.text;
      resolve({ status, headers, body, trailers, ended: stream.rstCode === 0 ? 'whole' : `reset with code ${stream.rstCode}` });
    });
  });
}

function headersOf(headers: IncomingHttpHeaders): Outcome {
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).flatMap((v) => [name, String(v)]),
  );
  return headersThatMatter(pairs);
}
