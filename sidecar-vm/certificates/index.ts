import type { Clock } from '../../core/clock.ts';
import { type ObtainedIdentity, separateControlChannel, type TrustBundle } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import { CertificateFolder } from './folder.ts';
import { grpcFiles } from './paths.ts';
import { startXdsRelay } from './xds-relay.ts';

export type { GrpcNode } from './grpc-node.ts';
export { keepAnchors, loadGrpcNode } from './grpc-node.ts';

export interface GrpcSupportOptions {
  readonly stateDir: string;
  readonly identity: ObtainedIdentity;
  /** The newest bundle, and who says that there is a newer one. */
  readonly trust: { readonly current: () => TrustBundle; readonly subscribe: (listener: () => void) => () => void };
  readonly clock: Clock;
  readonly log: Log;
}

export interface GrpcSupport {
  /** Idempotent. Files stay. */
  close(): Promise<void>;
}

/** What an agent does for proxyless gRPC programs of its machine. MeshErrors as startXdsRelay's. */
export async function openGrpcSupport(options: GrpcSupportOptions): Promise<GrpcSupport> {
  const { stateDir, identity, trust, clock, log } = options;
  const { dir, socket } = grpcFiles(stateDir);
  const folder = await CertificateFolder.open({ dir, identity, trust: trust.current, log });
  const { cluster } = identity.current();
  const relay = await startXdsRelay({
    socket,
    addresses: () => identity.token.addresses,
    security: () => separateControlChannel(identity, { cluster, now: () => clock.now() }),
    log,
  }).catch(async (error: unknown) => {
    await folder.close();
    throw error;
  });
  const undo = [trust.subscribe(() => folder.refresh()), identity.subscribe(() => relay.reconnect())];
  return {
    close: async () => {
      for (const end of undo.splice(0)) end();
      await Promise.all([relay.close(), folder.close()]);
    },
  };
}
