import { Resolver } from 'node:dns/promises';
import { Client, credentials } from '@grpc/grpc-js';

/** What calls of grpc-app.ts came to. */
export interface GrpcCalls {
  readonly said: string;
  /** Bytes that came back of those that were sent. */
  readonly large: number;
  readonly counted: readonly string[];
}

/** Calls grpc-app.ts by its name in the mesh, as a program of this machine does: `node grpc-caller.js NAME PORT`; prints GrpcCalls. */
const [, , name = '', port = '80'] = process.argv;
const largeBytes = 3 * 1024 * 1024;
const pass = (bytes: Buffer) => bytes;

const resolver = new Resolver();
resolver.setServers(['127.0.0.1:15053']);
const [address] = await resolver.resolve4(name);
const client = new Client(`${address}:${port}`, credentials.createInsecure(), { 'grpc.max_receive_message_length': 8 * 1024 * 1024 });
const deadline = () => ({ deadline: Date.now() + 10_000 });

const say = (bytes: Buffer) =>
  new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest('/test.Plain/Say', pass, pass, bytes, deadline(), (error, reply) =>
      error === null ? resolve(reply ?? Buffer.alloc(0)) : reject(error),
    );
  });

const counted: string[] = [];
const said = (await say(Buffer.from('hello'))).toString();
const large = (await say(Buffer.alloc(largeBytes, 'x'))).length;
for await (const message of client.makeServerStreamRequest('/test.Plain/Count', pass, pass, Buffer.from('300'), deadline()))
  counted.push(String(message));
const calls: GrpcCalls = { said, large, counted };
process.stdout.write(JSON.stringify(calls));
client.close();
