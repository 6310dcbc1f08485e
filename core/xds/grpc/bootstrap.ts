import { join } from 'node:path';
import { formatSpiffeId, parseLocality, type SpiffeId } from '../../model/index.ts';
import type { InboundClaim } from '../claims.ts';
import { labelsOf } from '../node.ts';
import type { Labels } from '../node-labels.ts';
import { anchorInstance, anchorsInstance, certificateFiles, identityInstance, serverListenerTemplate } from './names.ts';

/** What one proxyless gRPC process is told at its start. Holds no secret, and nor does the bootstrap. */
export interface GrpcBootstrapInput {
  readonly identity: SpiffeId;
  /** Tells this process from other clients of the identity. */
  readonly instance: string;
  readonly network: string;
  /** region/zone/subzone; may be empty. */
  readonly locality: string;
  /** Of the workload. Default none. */
  readonly labels?: Labels;
  /** What it serves; `address` and `target` are what it binds. */
  readonly inbound: readonly InboundClaim[];
  /** Mesh clusters whose workloads it may call and be called by. */
  readonly anchors: readonly string[];
  /** Absolute: where the agent of this machine keeps the certificates. */
  readonly certificates: string;
  /** Absolute: Unix socket on which that agent passes xDS on. */
  readonly xdsSocket: string;
  /** How often gRPC looks at the files, seconds. Default 10. */
  readonly refreshSeconds?: number;
}

/**
 * gRPC's xDS bootstrap (proposal A27, A29, A36). Node's implementation knows no credentials of its own for the control plane but `insecure`,
 * so that it goes through the agent, which has the SVID. Pure; equal input gives equal output.
 */
export function buildGrpcBootstrap(input: GrpcBootstrapInput): Readonly<Record<string, unknown>> {
  const { identity, instance, network, inbound, anchors, certificates, xdsSocket } = input;
  // All three are always said: without node.locality the bootstrap is refused.
  const { region, zone, subzone } = parseLocality(input.locality);
  const provider = (config: object) => ({
    plugin_name: 'file_watcher',
    config: { ...config, refresh_interval: `${input.refreshSeconds ?? 10}s` },
  });
  const authority = (file: string) => provider({ ca_certificate_file: join(certificates, file) });
  const own = join(certificates, certificateFiles.identity);
  return {
    xds_servers: [{ server_uri: `unix:${xdsSocket}`, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    node: {
      id: `${formatSpiffeId(identity)}#${instance}`,
      locality: { region, zone, sub_zone: subzone },
      metadata: {
        kind: 'agent',
        dialect: 'grpc',
        network,
        ...labelsOf(input.labels ?? {}),
        anchors,
        // Addresses are the server's own; the port, which is of proxies, means nothing here.
        ...(inbound.length === 0 ? {} : { inbound: { services: inbound } }),
      },
    },
    server_listener_resource_name_template: serverListenerTemplate,
    certificate_providers: {
      [identityInstance]: provider({ certificate_file: own, private_key_file: own }),
      ...Object.fromEntries(anchors.map((cluster) => [anchorInstance(cluster), authority(certificateFiles.anchor(cluster))])),
      [anchorsInstance]: authority(certificateFiles.anchors(anchors)),
    },
  };
}
