import { rm } from 'node:fs/promises';
import { Client, status as grpcStatus, Server, type ServerDuplexStream } from '@grpc/grpc-js';
import type { ControlChannel } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import { bindOwnerSocket } from '../../gateway/index.ts';

export interface XdsRelayOptions {
  /** Absolute; its folder is there and its owner's alone. Linux takes 107 bytes. */
  readonly socket: string;
  /** HOST:PORT of control planes, in the order in which they are tried; at least one. */
  readonly addresses: () => readonly string[];
  /** Channel to the control plane with the SVID of the moment. */
  readonly security: () => ControlChannel;
  readonly log: Log;
}

export interface XdsRelay {
  /** Streams that are open. */
  streams(): number;
  /** Ends every stream: clients come again at once, and with the SVID of then. What they hold stays theirs. */
  reconnect(): void;
  /** Idempotent. */
  close(): Promise<void>;
}

const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
const limits = { streams: 64, request: 1024 * 1024, response: 32 * 1024 * 1024 };
const asIs = (bytes: Buffer) => bytes;
const method = {
  path,
  requestStream: true,
  responseStream: true,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
} as const;

type Call = ServerDuplexStream<Buffer, Buffer>;

/**
 * State-of-the-world ADS on a socket of this user alone, carried to the control plane as it is: for clients that have no mTLS of their own
 * for that, as gRPC of Node. The control plane sees this node's SVID, and the client's own words. MeshError CONFIG_INVALID when the path is
 * too long for a socket, PORT_TAKEN when it can't be bound.
 */
export async function startXdsRelay(options: XdsRelayOptions): Promise<XdsRelay> {
  const { socket } = options;
  const open = new Set<() => void>();
  let next = 0;
  const server = new Server({ 'grpc.max_receive_message_length': limits.request, 'grpc.max_concurrent_streams': limits.streams });
  server.addService(
    { streamAggregatedResources: method },
    {
      streamAggregatedResources: (call: Call) => {
        if (open.size >= limits.streams) {
          call.emit('error', { code: grpcStatus.RESOURCE_EXHAUSTED, details: `more than ${limits.streams} streams on this socket` });
          return;
        }
        const addresses = options.addresses();
        const address = addresses[next % Math.max(1, addresses.length)] ?? '';
        const end = carry(call, address, options.security(), (failed) => {
          open.delete(end);
          if (failed) next += 1;
        });
        open.add(end);
      },
    },
  );
  await bindOwnerSocket(server, socket);
  const reconnect = () => {
    for (const end of [...open]) end();
  };
  let closing: Promise<void> | undefined;
  return {
    streams: () => open.size,
    reconnect,
    close: () => {
      closing ??= (async () => {
        reconnect();
        server.forceShutdown();
        await rm(socket, { force: true });
      })();
      return closing;
    },
  };
}

/** One stream, both ways, no faster than the slower side reads. Returns what ends it. */
function carry(down: Call, address: string, security: ControlChannel, onEnd: (failed: boolean) => void): () => void {
  const client = new Client(address, security.credentials, {
    ...security.options,
    'grpc.max_receive_message_length': limits.response,
    'grpc.use_local_subchannel_pool': 1,
  });
  const up = client.makeBidiStreamRequest(path, asIs, asIs);
  let done = false;
  const finish = (error?: { code: grpcStatus; details: string }) => {
    if (done) return;
    done = true;
    up.cancel();
    client.close();
    if (error === undefined) down.end();
    else down.emit('error', error);
    onEnd(error !== undefined);
  };
  down.on('data', (request: Buffer) => {
    if (up.write(request)) return;
    down.pause();
    up.once('drain', () => down.resume());
  });
  down.on('end', () => finish());
  down.on('cancelled', () => finish());
  down.on('error', () => finish());
  up.on('data', (response: Buffer) => {
    if (done || down.write(response)) return;
    up.pause();
    down.once('drain', () => up.resume());
  });
  up.on('end', () => finish());
  up.on('error', (error: { code?: grpcStatus; details?: string }) =>
    finish({ code: error.code ?? grpcStatus.UNAVAILABLE, details: `${address}: ${error.details ?? 'the stream broke'}` }),
  );
  return () => finish();
}
