import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Server } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import { ensureOwnerOnlyDir, type SvidSource, type TrustBundle } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import { AccessLogServiceService } from '../../core/xds/gen/envoy/service/accesslog/v3/als.ts';
import { type EncodedResource, envoyTypeUrls } from '../../core/xds/index.ts';
import { typeServices, XdsStreams } from '../../core/xds/server/index.ts';
import { accessLogServer, type CountsEntries } from './access-log-service.ts';
import { localSecrets } from './local-secrets.ts';
import { LocalView } from './local-view.ts';
import { bindOwnerSocket } from './owner-socket.ts';

export interface LocalServerOptions {
  /** Absolute; its folder is made 0700. Linux takes 107 bytes. */
  readonly socket: string;
  readonly identity: SvidSource;
  /** The newest that is known. */
  readonly trust: () => TrustBundle;
  /** Of what Envoys of this node carried. Absent: nobody counts. */
  readonly flows?: CountsEntries | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RefusedResource {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  /** Envoy's own words. */
  readonly reason: string;
}

/** What a node serves its own Envoys on a socket that its user alone can open: secrets, and listeners where it makes them. */
export interface LocalServer {
  readonly socket: string;
  /** Streams that are open. */
  streams(): number;
  /** After `trust` would say something else. Changes of the identity are seen without. */
  refresh(): void;
  /** Replaces all listeners. Until the first call Envoy is told nothing of listeners and waits. */
  listeners(resources: readonly EncodedResource[]): void;
  refused(): readonly RefusedResource[];
  /** Ends streams and takes the socket away. Idempotent. */
  close(): Promise<void>;
}

/** More than a handful of Envoys on one node means one that leaks streams. */
const limits = { streams: 64, streamsPerIdentity: 64, subscriptions: 1_024, types: 4, heartbeatMs: 5_000 };

/** MeshError CONFIG_INVALID when the path is too long for a socket, PORT_TAKEN when it can't be bound. */
export async function startLocalServer(options: LocalServerOptions): Promise<LocalServer> {
  const { socket, identity, trust, flows, clock, log } = options;
  await ensureOwnerOnlyDir(dirname(socket));
  const view = new LocalView();
  const refresh = () => view.set(envoyTypeUrls.secret, localSecrets(identity.current(), trust()));
  refresh();
  const undo = identity.subscribe(refresh);
  const streams = new XdsStreams<string>({
    admission: () => ({
      countedAs: 'local',
      identify: (node) => ({ client: node?.id ?? '', id: `${node?.id ?? ''} (local)`, view, single: false }),
    }),
    clock,
    log,
    limits,
  });
  const server = new Server({ 'grpc.max_receive_message_length': 1024 * 1024, 'grpc.max_concurrent_streams': limits.streams });
  for (const { definition, handlers } of typeServices(streams, [envoyTypeUrls.secret, envoyTypeUrls.listener])) {
    server.addService(definition, handlers);
  }
  if (flows !== undefined) server.addService(AccessLogServiceService, accessLogServer({ identity, flows, log }));
  try {
    await bindOwnerSocket(server, socket);
  } catch (error) {
    undo();
    throw error;
  }
  const stop = new AbortController();
  const running = streams.run(stop.signal);
  let closing: Promise<void> | undefined;
  const close = async () => {
    undo();
    stop.abort();
    await running;
    server.forceShutdown();
    await rm(socket, { force: true });
  };
  return {
    socket,
    streams: () => streams.clients().length,
    refresh,
    listeners: (resources) => view.set(envoyTypeUrls.listener, resources),
    refused: () =>
      streams
        .clients()
        .flatMap(({ types }) => types.flatMap(({ typeUrl, refused }) => refused.map((each) => ({ type: shortType(typeUrl), ...each })))),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function shortType(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
}
