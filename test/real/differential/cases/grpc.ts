import { Client, credentials, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { type GrpcBackend, pathOf } from '../backends/grpc-backend.ts';
import { type Case, Digest, type Outcome, pattern } from '../outcome.ts';

const pass = (bytes: Buffer) => bytes;
const large = pattern(3 * 1024 * 1024);

/** Real gRPC at both ends: its statuses are trailers, its messages frames in streams. */
export const grpcCases: readonly Case<GrpcBackend>[] = [
  grpcCase('unary, with metadata both ways', async (client, backend) => {
    backend.behave({
      unary: (call, done) => {
        const first = new Metadata();
        first.set('x-first', 'said');
        call.sendMetadata(first);
        const last = new Metadata();
        last.set('x-last', 'said');
        last.set('x-raw-bin', Buffer.from([0, 1, 255]));
        done(null, Buffer.concat([Buffer.from('echo '), call.request]), last);
      },
    });
    const metadata = new Metadata();
    metadata.add('x-asked', 'one');
    metadata.add('x-asked', 'two');
    metadata.set('x-asked-bin', Buffer.from([7, 0, 200]));
    const outcome = await unary(client, Buffer.from('hello'), metadata);
    const saw = backend.lastMetadata;
    const binary = saw?.get('x-asked-bin')[0];
    return { ...outcome, asked: saw?.get('x-asked').join() ?? '', binary: Buffer.isBuffer(binary) ? binary.toString('hex') : 'none' };
  }),
  ...[3, 5, 7, 13, 14, 16].map((code) =>
    grpcCase(`unary that ends with status ${code}`, async (client, backend) => {
      const trailers = new Metadata();
      trailers.set('x-reason', 'of the app');
      backend.behave({ unary: (_call, done) => done({ code, details: 'said: ¡no!', metadata: trailers }) });
      return unary(client, Buffer.from('x'));
    }),
  ),
  grpcCase('3 MB each way', async (client, backend) => {
    backend.behave({ unary: (call, done) => done(null, call.request) });
    const { status, message } = await unary(client, large, new Metadata(), (bytes) => digestOf([bytes]));
    return { status, message };
  }),
  grpcCase('an empty message', async (client, backend) => {
    backend.behave({ unary: (_call, done) => done(null, Buffer.alloc(0)) });
    return unary(client, Buffer.alloc(0));
  }),
  grpcCase('a stream of 500 messages down', async (client, backend) => {
    backend.behave({
      down: (call) => {
        for (let i = 0; i < 500; i++) call.write(Buffer.from(`message ${i}`));
        call.end();
      },
    });
    const call = client.makeServerStreamRequest(pathOf('down'), pass, pass, Buffer.from('go'));
    return collect(call);
  }),
  grpcCase('a stream that fails half-way', async (client, backend) => {
    backend.behave({
      down: (call) => {
        call.write(Buffer.from('half'));
        call.emit('error', { code: 9, details: 'not further' });
      },
    });
    return collect(client.makeServerStreamRequest(pathOf('down'), pass, pass, Buffer.from('go')));
  }),
  grpcCase('a stream of 500 messages up', async (client, backend) => {
    const parts: Buffer[] = [];
    backend.behave({
      up: (call, done) => {
        call.on('data', (part: Buffer) => parts.push(part));
        call.on('end', () => done(null, Buffer.from(digestOf(parts))));
      },
    });
    return new Promise<Outcome>((resolve) => {
      const call = client.makeClientStreamRequest(pathOf('up'), pass, pass, (error, value) => resolve(said(error, value)));
      for (let i = 0; i < 500; i++) call.write(Buffer.from(`message ${i}`));
      call.end();
    });
  }),
  grpcCase('a conversation of 20 turns', async (client, backend) => {
    backend.behave({
      both: (call) => {
        call.on('data', (part: Buffer) => call.write(Buffer.concat([Buffer.from('re '), part])));
        call.on('end', () => call.end());
      },
    });
    const call = client.makeBidiStreamRequest(pathOf('both'), pass, pass);
    let turns = 0;
    call.on('data', () => {
      turns += 1;
      if (turns === 20) call.end();
      else call.write(Buffer.from(`turn ${turns}`));
    });
    const status = statusOf(call);
    call.write(Buffer.from('turn 0'));
    return { turns: await status.then(() => turns), status: await status };
  }),
  grpcCase('a deadline that passes', async (client, backend) => {
    const cancelled = new Promise<string>((resolve) =>
      backend.behave({ unary: (call) => void call.on('cancelled', () => resolve('cancelled')) }),
    );
    // Enough for the call to reach the app by connections that are all opened for it.
    const outcome = await unary(client, Buffer.from('x'), new Metadata(), undefined, Date.now() + 3_000);
    return { status: outcome.status, app: await cancelled };
  }),
  grpcCase('a call that its caller cancels', async (client, backend) => {
    const cancelled = new Promise<string>((resolve) => {
      backend.behave({
        both: (call) => {
          call.write(Buffer.from('begun'));
          call.on('cancelled', () => resolve('cancelled'));
        },
      });
    });
    const call = client.makeBidiStreamRequest(pathOf('both'), pass, pass);
    call.once('data', () => call.cancel());
    const status = await statusOf(call);
    return { status, app: await cancelled };
  }),
  grpcCase('30 calls at once', async (client, backend) => {
    backend.behave({ unary: (call, done) => void setTimeout(() => done(null, call.request), 20) });
    const calls = Array.from({ length: 30 }, (_, i) => unary(client, Buffer.from(`call ${i}`)));
    const answers = await Promise.all(calls);
    return { right: answers.filter(({ message }, i) => message === `call ${i}`).length };
  }),
  grpcCase('a method that the app does not have', async (client) => {
    return new Promise<Outcome>((resolve) => {
      client.makeUnaryRequest('/suite.Echo/nothing', pass, pass, Buffer.from('x'), (error, value) => resolve(said(error, value)));
    });
  }),
];

function grpcCase(name: string, play: (client: Client, backend: GrpcBackend) => Promise<Outcome>): Case<GrpcBackend> {
  return {
    name: `gRPC: ${name}`,
    run: async ({ port, backend }) => {
      const client = grpcClient(port);
      try {
        return await play(client, backend);
      } finally {
        client.close();
      }
    },
  };
}

/** No retries of its own: each call is one on the wire. */
function grpcClient(port: number): Client {
  const options = { 'grpc.enable_retries': 0, 'grpc.max_receive_message_length': 16 * 1024 * 1024, 'grpc.use_local_subchannel_pool': 1 };
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options);
}

type UnaryOutcome = { readonly status: number; readonly details: string; readonly message: string; readonly trailers: Outcome };

function unary(
  client: Client,
  request: Buffer,
  metadata = new Metadata(),
  describe = (bytes: Buffer) => bytes.toString(),
  deadline = Date.now() + 10_000,
): Promise<UnaryOutcome> {
  return new Promise((resolve) => {
    let message = '';
    let first: Outcome = {};
    const call = client.makeUnaryRequest(pathOf('unary'), pass, pass, request, metadata, { deadline }, (_error, value) => {
      message = value === undefined ? 'none' : describe(value);
    });
    call.once('metadata', (headers: Metadata) => {
      first = own(headers);
    });
    // Of an error too: what callbacks are told lacks the trailers' metadata.
    call.once('status', ({ code, details, metadata: last }: StatusObject) =>
      setImmediate(() => resolve({ status: code, details, message, trailers: { first, last: own(last) } })),
    );
  });
}

/** What the case itself said, in either direction. */
function own(metadata: Metadata): Outcome {
  const entries = Object.keys(metadata.getMap()).filter((key) => /^x-(first|last|raw|reason)/.test(key));
  return Object.fromEntries(
    entries.sort().map((key) => [
      key,
      metadata
        .get(key)
        .map((v) => (Buffer.isBuffer(v) ? v.toString('hex') : v))
        .join(),
    ]),
  );
}

function said(error: ServiceError | null, value: Buffer | undefined): Outcome {
  return error === null ? { status: 0, message: value?.toString() ?? '' } : { status: error.code, details: error.details };
}

function statusOf(call: NodeJS.EventEmitter): Promise<number> {
  return new Promise((resolve) => {
    call.on('error', () => {});
    call.once('status', ({ code }: StatusObject) => resolve(code));
  });
}

async function collect(call: NodeJS.EventEmitter): Promise<Outcome> {
  const parts: Buffer[] = [];
  call.on('data', (part: Buffer) => parts.push(part));
  const status = await statusOf(call);
  return { status, messages: parts.length, bytes: digestOf(parts) };
}

function digestOf(parts: readonly Buffer[]): string {
  const digest = new Digest();
  for (const part of parts) digest.add(part);
  return digest.text;
}
