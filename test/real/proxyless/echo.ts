import type { ServiceDefinition } from '@grpc/grpc-js';

/** What the programs of the tests speak: one unary method, JSON inside. */
export interface EchoReply {
  readonly server: string;
  /** SANs of the caller's certificate, as Node writes them. */
  readonly caller: string;
  /** Serial number of it. */
  readonly serial: string;
}

const toBytes = (value: object) => Buffer.from(JSON.stringify(value));
const fromBytes = <T>(bytes: Buffer) => JSON.parse(bytes.toString()) as T;

export const echoPath = '/test.Echo/Say';

export const echoService: ServiceDefinition = {
  say: {
    path: echoPath,
    requestStream: false,
    responseStream: false,
    requestSerialize: toBytes,
    requestDeserialize: fromBytes<object>,
    responseSerialize: toBytes,
    responseDeserialize: fromBytes<EchoReply>,
  },
};
