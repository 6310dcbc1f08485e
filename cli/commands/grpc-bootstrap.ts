import type { Command } from 'commander';
import { formatViolation } from '../../core/validate.ts';
import type { InboundClaim } from '../../core/xds/index.ts';
import type { GrpcNode } from '../../sidecar-vm/main.ts';
import { collect, countFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { inboundFlag } from './envoy-bootstrap-flags.ts';
import { usualStateDir } from './vm-join-flags.ts';

interface Flags extends LeafOptions {
  readonly stateDir: string;
  readonly inbound: readonly InboundClaim[];
  readonly cluster: readonly string[];
  readonly instance?: string;
  readonly refresh: number;
}

/** Without it gRPC of Node does not know the filter that says who may call, refuses its Listener, and serves nobody. */
const environment = { GRPC_XDS_EXPERIMENTAL_RBAC: 'true' };

/** `isthmus grpc bootstrap`: for programs that speak xDS themselves. */
export function addGrpcBootstrap(grpc: Command, io: Io): void {
  leaf(
    grpc,
    'bootstrap',
    "print the xDS bootstrap of a proxyless gRPC program that runs beside this machine's agent (isthmus agent --grpc)",
    [
      'grpc bootstrap > grpc.json && GRPC_XDS_BOOTSTRAP=grpc.json node client.js   # dials xds:///orders.shop.mesh.internal:8080',
      'grpc bootstrap --inbound shop/orders:8080=0.0.0.0:50051 > grpc.json && GRPC_XDS_BOOTSTRAP=grpc.json GRPC_XDS_EXPERIMENTAL_RBAC=true node server.js',
      'grpc bootstrap --cluster east --cluster west --instance billing-2 --output json',
    ],
  )
    .option('--state-dir <dir>', 'of the agent that runs on this machine', usualStateDir)
    .option(
      '--inbound <service=bind>',
      'NAMESPACE/NAME:PORT=IP:PORT, a service that the program serves and what it binds; may be repeated (default: none; it only calls)',
      inboundFlag,
      [],
    )
    .option(
      '--cluster <name>',
      'mesh cluster to call and to be called from; may be repeated (default: all that the agent knows)',
      collect,
      [],
    )
    .option('--instance <name>', "unique among this identity's clients, one for each process (default: the agent's, and .grpc)")
    .option('--refresh <seconds>', 'how often the program looks for renewed certificates', countFlag, 10)
    .action(async (flags: Flags) => {
      const bootstrap = await bootstrapOf(flags);
      const env = flags.inbound.length === 0 ? {} : environment;
      // A bootstrap is JSON either way: text is the bare file, for redirection; json names what else is needed.
      emit(io, flags.output, { bootstrap, env }, JSON.stringify(bootstrap, null, 2));
      const set = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      if (set.length > 0 && flags.output === 'text') io.err(`A server of Node also needs, in its environment: ${set.join(' ')}\n`);
    });
}

async function bootstrapOf(flags: Flags): Promise<object> {
  const [{ keepAnchors, loadGrpcNode }, { buildGrpcBootstrap }] = await Promise.all([
    import('../../sidecar-vm/main.ts'),
    import('../../core/xds/grpc/index.ts'),
  ]);
  const loaded = await loadGrpcNode(flags.stateDir);
  if (!loaded.ok) throw invalid(loaded.violations.map(formatViolation).join('\n  '));
  const node = loaded.value;
  const anchors = anchorsOf(node, flags.cluster);
  const instance = flags.instance ?? `${node.instance}.grpc`;
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(instance)) throw invalid('--instance has letters, digits and . _ - only, at most 128');
  await keepAnchors(node, anchors);
  const { identity, network, locality, labels, certificates, xdsSocket } = node;
  const inbound = flags.inbound.map((service) => ({ ...service, protocol: 'grpc' as const }));
  return buildGrpcBootstrap({
    identity,
    instance,
    network,
    locality,
    labels,
    inbound,
    anchors,
    certificates,
    xdsSocket,
    refreshSeconds: flags.refresh,
  });
}

function anchorsOf({ clusters, certificates }: GrpcNode, asked: readonly string[]): readonly string[] {
  if (clusters.length === 0) {
    throw invalid(`${certificates} holds no anchor yet: the agent has not reached its control plane; see isthmus vm status`);
  }
  const unknown = asked.filter((cluster) => !clusters.includes(cluster));
  if (unknown.length > 0) {
    throw invalid(
      `--cluster ${unknown.join(', ')}: the agent knows ${clusters.join(', ')}; a peer shows up here once it has joined (isthmus peer list)`,
    );
  }
  return asked.length === 0 ? clusters : [...new Set(asked)].sort();
}

function invalid(message: string): CliError {
  return new CliError(exitCode.invalid, 'CONFIG_INVALID', message, 'see isthmus grpc bootstrap --help');
}
