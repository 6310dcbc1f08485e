import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { MeshError } from '../../core/errors.ts';
import { parseJoinToken, readIfThere } from '../../core/identity/index.ts';
import { formatViolation, type Violation } from '../../core/validate.ts';
import { bindFlag, collect, durationFlag, portFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { gatewayKindOption } from '../gateway-kind.ts';
import { emitReady, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { addProofFlags, type ProofFlags, proofOf } from '../proof-flags.ts';
import { engineOption, envoyPathOption, proxyOption } from '../proxy-flags.ts';
import { addGatewayToken } from './gateway-token.ts';
import { countFlag } from './tunnel-flags.ts';
import { labelFlag } from './vm-join-flags.ts';

interface GatewayFlags extends LeafOptions, ProofFlags {
  readonly kind: 'gateway' | 'ingress';
  readonly stateDir?: string;
  readonly tokenFile?: string;
  readonly advertise?: string[];
  readonly advertisePort?: number;
  readonly behindNat?: boolean;
  readonly tunnels?: number;
  readonly listen: { readonly address: string; readonly port: number };
  readonly originateAddress: string;
  readonly ingressAddress: string;
  readonly acceptProxyFrom?: string[];
  readonly health: { readonly address: string; readonly port: number };
  readonly metrics: { readonly address: string; readonly port: number };
  readonly network?: string;
  readonly instance: string;
  readonly locality?: string;
  readonly label: Readonly<Record<string, string>>;
  readonly proxy: 'isthmus' | 'envoy' | 'none';
  readonly envoyPath?: string;
  readonly engine: 'auto' | 'native' | 'node';
  readonly engineThreads?: number;
  readonly maxConnections?: number;
  readonly maxConnectionsPerSource?: number;
  readonly handOver?: string;
  readonly drain: number;
}

/** `isthmus gateway` runs one; `isthmus gateway token` is its child, and so no option here may be mandatory for commander. */
export function addGateway(program: Command, io: Io): void {
  const gateway = addProofFlags(
    leaf(program, 'gateway', 'run a gateway: between networks, or for people outside the mesh', [
      'gateway token > gateway.token',
      'gateway --token-file gateway.token --state-dir /var/lib/isthmus-gateway --advertise gateway.east.example.org',
      'gateway --kind ingress --label istio=ingressgateway --token-file ingress.token --state-dir /var/lib/isthmus-ingress',
    ]),
  )
    .enablePositionalOptions()
    .addOption(gatewayKindOption())
    .option('--state-dir <folder>', 'what it keeps: identity, and the last good configuration; owner-only (needed)')
    .option('--advertise <host>', 'IP or host name that other networks dial; may be repeated (needed between networks)', collect)
    .option('--behind-nat', 'peers cannot dial it: it dials gateways of theirs, and is reached through those connections')
    .option('--tunnels <number>', 'behind a NAT: to how many gateways of each peer, 1-8 (default: 2)', countFlag)
    .option('--advertise-port <port>', 'port that they dial (default: the one it listens on)', portFlag)
    .option('--token-file <file>', 'join token, from: isthmus gateway token (default: the one it keeps)')
    .option('--listen <address:port>', 'mTLS between networks', bindFlag, { address: '0.0.0.0', port: 15_443 })
    .option('--originate-address <ip>', 'where callers without a sidecar connect', '0.0.0.0')
    .option('--ingress-address <ip>', 'where the ports of Gateways are bound, of --kind ingress', '0.0.0.0')
    .option(
      '--accept-proxy-from <cidr>',
      'load balancers that say by the PROXY protocol who called, which is then asked of everybody; may be repeated (default: none)',
      collect,
    )
    .option('--health <address:port>', 'liveness, readiness and status, plaintext', bindFlag, { address: '127.0.0.1', port: 15_021 })
    .option('--metrics <address:port>', 'Prometheus, plaintext', bindFlag, { address: '127.0.0.1', port: 15_020 })
    .option('--network <name>', "network that it leads to (default: the token's)")
    .option('--instance <name>', 'unique among the gateways of the cluster', hostname().split('.')[0]?.toLowerCase() ?? 'gateway')
    .option('--locality <region/zone/subzone>', 'where it is')
    .addOption(new Option('--label <key=value>', 'what Gateways select it by; may be repeated').argParser(labelFlag).default({}, 'none'))
    .addOption(proxyOption())
    .addOption(envoyPathOption())
    .addOption(engineOption())
    .option('--engine-threads <number>', 'of the native engine, 1-64 (default: as many as there are CPUs)', countFlag)
    .option('--max-connections <number>', 'open at once, of our own proxy; the next is refused (default: 10,000)', countFlag)
    .option('--max-connections-per-source <number>', 'of these, of one address (default: 1,000)', countFlag)
    .option(
      '--hand-over <socket>',
      'Unix socket over which the next start of this gateway takes its listening sockets, so that an upgrade drops nobody',
    )
    .addOption(
      new Option('--drain <duration>', 'from SIGTERM to the end of the last connection').argParser(durationFlag).default(30_000, '30s'),
    )
    .action(async (flags: GatewayFlags) => {
      const { parseGatewayOptions, startGateway } = await import('../../gateway/main.ts');
      const parsed = parseGatewayOptions(await inputOf(flags));
      if (!parsed.ok) throw invalid(parsed.violations);
      const running = await startGateway(parsed.value, {}, io.signal);
      const { eastWest, health, metrics } = running;
      emitReady(io, { ...(flags.kind === 'gateway' ? { listen: eastWest } : {}), health, metrics });
      await running.ended;
    });
  addGatewayToken(gateway, io);
}

async function inputOf(flags: GatewayFlags): Promise<Record<string, unknown>> {
  const { tokenFile, drain, label: labels, output: _output, proofFile: _file, proofCert: _cert, proofKey: _key, ...same } = flags;
  if (flags.stateDir === undefined || (flags.advertise === undefined && flags.kind === 'gateway' && flags.behindNat !== true)) {
    const needed =
      flags.kind === 'gateway' ? '--state-dir FOLDER and --advertise HOST (or --behind-nat) are needed' : '--state-dir FOLDER is needed';
    throw new CliError(exitCode.invalid, 'USAGE', needed, 'see isthmus gateway --help');
  }
  const token = tokenFile === undefined ? undefined : (await readToken(tokenFile)).trim();
  const known = token ?? (await keptToken(flags.stateDir));
  const parsed = known === undefined ? undefined : parseJoinToken(known);
  if (parsed?.ok === false) throw invalid(parsed.violations);
  const network = flags.network ?? parsed?.value.network;
  if (network === undefined || network === '') {
    throw new CliError(exitCode.invalid, 'INVALID_INPUT', 'the network is not known', 'give --network NAME, or --token-file FILE');
  }
  const attest = await proofOf(flags, parsed?.value);
  return {
    ...same,
    labels,
    network,
    drainMs: drain,
    ...(attest === undefined ? {} : { attest }),
    ...(token === undefined ? {} : { token }),
  };
}

function invalid(violations: readonly Violation[]): CliError {
  const all = violations.map((v) => `  ${formatViolation(v)}`).join('\n');
  return new CliError(exitCode.invalid, 'INVALID_INPUT', `the gateway cannot start:\n${all}`, 'see isthmus gateway --help');
}

/** What it joined with, for a start without --token-file. */
async function keptToken(stateDir: string): Promise<string | undefined> {
  return (await readIfThere(join(stateDir, 'identity', 'join-token')))?.trim();
}

async function readToken(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new MeshError('CONFIG_INVALID', `the token cannot be read from ${path}: check the path and its rights`, { cause });
  }
}
