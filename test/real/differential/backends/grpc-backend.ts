import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
} from '@grpc/grpc-js';

/** What a case makes the four kinds of call do. Messages are bytes: no schema matters here. */
export interface GrpcBehaviour {
  readonly unary?: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => void;
  readonly down?: (call: ServerWritableStream<Buffer, Buffer>) => void;
  readonly up?: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => void;
  readonly both?: (call: ServerDuplexStream<Buffer, Buffer>) => void;
}

export const pathOf = (method: keyof GrpcBehaviour) => `/suite.Echo/${method}`;

const pass = (bytes: Buffer) => bytes;

function definition(method: keyof GrpcBehaviour) {
  return {
    path: pathOf(method),
    requestStream: method === 'up' || method === 'both',
    responseStream: method === 'down' || method === 'both',
    requestSerialize: pass,
    requestDeserialize: pass,
    responseSerialize: pass,
    responseDeserialize: pass,
  };
}

const service: ServiceDefinition = {
  unary: definition('unary'),
  down: definition('down'),
  up: definition('up'),
  both: definition('both'),
};

/** A gRPC server without TLS; the mesh carries it. */
export class GrpcBackend {
  readonly #server = new Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024 });
  #behaviour: GrpcBehaviour = {};
  /** Metadata of the last call that came. */
  lastMetadata: Metadata | undefined;
  port = 0;

  constructor() {
    const none = { code: 12, details: 'no case is running' };
    this.#server.addService(service, {
      unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        this.lastMetadata = call.metadata;
        if (this.#behaviour.unary === undefined) done(none);
        else this.#behaviour.unary(call, done);
      },
      down: (call: ServerWritableStream<Buffer, Buffer>) => {
        if (this.#behaviour.down === undefined) call.destroy(Object.assign(new Error(none.details), none));
        else this.#behaviour.down(call);
      },
      up: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        if (this.#behaviour.up === undefined) done(none);
        else this.#behaviour.up(call, done);
      },
      both: (call: ServerDuplexStream<Buffer, Buffer>) => {
        if (this.#behaviour.both === undefined) call.destroy(Object.assign(new Error(none.details), none));
        else this.#behaviour.both(call);
      },
    });
  }

  async open(): Promise<void> {
    this.port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
  }

  behave(behaviour: GrpcBehaviour): void {
    this.#behaviour = behaviour;
    this.lastMetadata = undefined;
  }

  async close(): Promise<void> {
    this.#server.forceShutdown();
  }
}
