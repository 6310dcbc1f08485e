import { Server, ServerCredentials, type ServerUnaryCall, type ServerWritableStream, type sendUnaryData } from '@grpc/grpc-js';

/** A gRPC application without xDS and TLS: `node grpc-app.js PORT`. It says what it was sent, counts down, and answers health checks. */
const [, , port = '8080'] = process.argv;
const raw = { requestSerialize: pass, requestDeserialize: pass, responseSerialize: pass, responseDeserialize: pass, requestStream: false };
const serving = Buffer.from([0x08, 0x01]);

const server = new Server({ 'grpc.max_receive_message_length': 8 * 1024 * 1024 });
server.addService(
  {
    say: { path: '/test.Plain/Say', responseStream: false, ...raw },
    count: { path: '/test.Plain/Count', responseStream: true, ...raw },
  },
  {
    say: ({ request }: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, request),
    count: (call: ServerWritableStream<Buffer, Buffer>) => {
      for (let i = Number(call.request.toString()); i > 0; i--) call.write(Buffer.from(String(i)));
      call.end();
    },
  },
);
server.addService(
  { check: { path: '/grpc.health.v1.Health/Check', responseStream: false, ...raw } },
  { check: (_: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, serving) },
);
server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});

function pass(bytes: Buffer): Buffer {
  return bytes;
}
