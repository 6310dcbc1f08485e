import { type Command, Option } from 'commander';
import { parseJoinToken } from '../../core/identity/index.ts';
import { formatViolation, type Violation } from '../../core/validate.ts';
import { collect, countFlag, durationFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { addProofFlags, type ProofFlags, proofOf } from '../proof-flags.ts';
import { engineOption, envoyPathOption, proxyOption } from '../proxy-flags.ts';
import { serveAgent } from './agent.ts';
import { addTunnelFlags, type TunnelFlags, tunnelOf } from './tunnel-flags.ts';
import { joinCaptureFlags } from './vm-join-capture.ts';
import {
  agentOptionsOf,
  type JoinFlags,
  labelFlag,
  listenFlag,
  outboundFlag,
  portsFlag,
  usualInstance,
  usualStateDir,
} from './vm-join-flags.ts';
import { serviceFlags } from './vm-join-services.ts';
import { placeOf, tokenServices } from './vm-join-token.ts';
import { startUnit, unitFits } from './vm-join-unit.ts';

type Flags = JoinFlags &
  TunnelFlags &
  LeafOptions &
  ProofFlags & { readonly saveOnly?: boolean; readonly foreground?: boolean; readonly resetIdentity?: boolean };

export function addVmJoin(vm: Command, io: Io): void {
  const command = leaf(vm, 'join', 'join this machine to the mesh, and run its agent until it is told to stop', [
    'vm join TOKEN   # serves what the token is for',
    'vm join - --service shop/orders --port 80 --app-port 8080 --health http:/healthz --address 10.0.0.7 < token',
    'vm join TOKEN --service shop/orders:80:8080 --service shop/ledger:9000:grpc --health shop/ledger=grpc --address 10.0.0.7',
    'vm join TOKEN --call-only --outbound payments.shop.mesh.internal:80=18080',
    'vm join TOKEN --address 192.168.1.7 --behind-nat',
    'vm join TOKEN --proof-file /run/secrets/token --service shop/orders --port 8080 --address 10.0.0.7   # vm token --attestor',
    'vm join TOKEN --service shop/orders --port 8080 --address 10.0.0.7 --save-only && isthmus agent',
  ])
    .argument('<token>', 'what isthmus vm token printed; - reads it from standard input, which keeps it out of the process list')
    .option(
      '--address <ip>',
      'IP of this machine, as others of its network dial it; auto: the one towards the control plane, also after it has changed (default: auto)',
    )
    .option('--call-only', 'nothing runs here for others, whatever the token is for: this machine only calls');
  serviceFlags(command);
  place(command);
  addTunnelFlags(command);
  addProofFlags(joinCaptureFlags(listeners(command)))
    .option('--workload-api [socket]', 'serve the SPIFFE Workload API and SDS on a socket (default: /run/isthmus/workload.sock)')
    .option('--grpc', 'keep certificates and xDS for proxyless gRPC programs of this machine, see isthmus grpc bootstrap')
    .option(
      '--foreground',
      'run the agent here, also where systemd could (default: where root asks and the package is installed, systemd runs it)',
    )
    .option('--reset-identity', 'as somebody new: forget the identity that is here, as on a copy of another machine')
    .option('--save-only', "write the agent's configuration, and do not run it")
    .action((token: string, flags: Flags) => join(io, token, flags));
}

function place(command: Command): Command {
  return command
    .option('--network <name>', "network that the address belongs to (default: named as the token's cluster)")
    .addOption(new Option('--locality <place>', 'REGION/ZONE/SUBZONE').default('', 'none'))
    .addOption(flag('--label <key=value>', 'may be repeated', labelFlag, {}, 'none'))
    .addOption(new Option('--instance <name>', 'unique among the VMs of a cluster').default(usualInstance(), 'the host name'))
    .option('--state-dir <dir>', 'what the agent keeps: keys, identity, last known mesh', usualStateDir);
}

function listeners(command: Command): Command {
  return command
    .option('--inbound <address:port>', 'mTLS from the mesh (default: --address, or every address with auto, and port 15006)', listenFlag)
    .addOption(
      flag('--outbound <host:port=local>', 'a port of 127.0.0.1 that leads to a mesh service; may be repeated', outboundFlag, {}, 'none'),
    )
    .addOption(
      flag(
        '--listen-address <ip>',
        'serve --outbound ports on this address too, such as a bridge of containers; may be repeated',
        collect,
        [],
        'none',
      ),
    )
    .addOption(flag('--reserved-ports <ports>', 'ports that the agent leaves to programs of this machine, 80,443', portsFlag, [], 'none'))
    .option('--no-loopback', 'no address of 127.64.0.0/10 for each mesh service: explicit --outbound ports alone')
    .addOption(
      new Option(
        '--discovery <which>',
        'services that the agent knows: all, or on-demand those that --outbound names or somebody here looks up (default: on-demand; all with --no-loopback and no --outbound)',
      ).choices(['all', 'on-demand']),
    )
    .addOption(
      flag('--forget-after <duration>', 'let go of a service that nobody looks up or is connected to', durationFlag, 24 * 3_600_000, '24h'),
    )
    .addOption(listenOption('--dns', 'resolver for names of the mesh', { address: '127.0.0.1', port: 15_053 }))
    .addOption(flag('--dns-upstream <ip:port>', 'where other names are asked for; may be repeated', collect, [], 'they are refused'))
    .addOption(listenOption('--admin', 'health, metrics and status', { address: '127.0.0.1', port: 15_021 }))
    .addOption(proxyOption())
    .addOption(envoyPathOption())
    .addOption(engineOption().default(undefined, 'that of the version that runs'))
    .option('--engine-threads <number>', 'of the native engine, 1-64 (default: as many as there are CPUs, 4 at most)', countFlag)
    .option(
      '--max-connections <number>',
      'open at once in each direction, of our own proxy; the next is refused (default: 10,000)',
      countFlag,
    )
    .option(
      '--max-connections-per-source <number>',
      'of these, of one address; programs here have one together, but where they are captured (default: 1,000)',
      countFlag,
    )
    .addOption(flag('--drain <duration>', 'from SIGTERM to the end of the last connection', durationFlag, 30_000, '30s'));
}

/** `shown`: the default in words. */
function flag<T>(flags: string, text: string, parse: (value: string, before: T) => T, usual: T, shown: string): Option {
  return new Option(flags, text).argParser(parse).default(usual, shown);
}

function listenOption(flag: string, text: string, usual: { readonly address: string; readonly port: number }): Option {
  return new Option(`${flag} <address:port>`, text).argParser(listenFlag).default(usual, `${usual.address}:${usual.port}`);
}

async function join(io: Io, argument: string, flags: Flags): Promise<void> {
  const text = (argument === '-' ? await io.input() : argument).trim();
  const token = parseJoinToken(text);
  if (!token.ok) throw invalid(token.violations);
  const { parseAgentOptions, prepareJoin } = await import('../../sidecar-vm/main.ts');
  const place = await placeOf(flags, token.value);
  const service = flags.service.length > 0 || flags.callOnly === true ? flags.service : tokenServices(token.value);
  const network = flags.network ?? (token.value.network || token.value.cluster);
  const attest = await proofOf(flags, token.value);
  const shown = attest === undefined ? {} : { attest };
  const said = agentOptionsOf(text, { ...flags, ...place, service, network });
  const options = parseAgentOptions({ ...said, ...tunnelOf(flags), ...shown });
  if (!options.ok) throw invalid(options.violations);
  await prepareJoin(options.value, { resetIdentity: flags.resetIdentity === true });
  const { stateDir, instance } = options.value;
  if (flags.saveOnly === true) {
    emit(io, flags.output, { stateDir, instance }, `Saved in ${stateDir}. Next: isthmus agent --state-dir ${stateDir}`);
  } else if (flags.foreground === true || !(await unitFits(options.value))) {
    await serveAgent(options.value, io);
  } else {
    await startUnit(options.value, io);
    emit(
      io,
      flags.output,
      { stateDir, instance, unit: true },
      `${instance} is in the mesh, and will be after a reboot. See isthmus vm status`,
    );
  }
}

function invalid(violations: readonly Violation[]): CliError {
  const all = violations.map((v) => `  ${formatViolation(v)}`).join('\n');
  return new CliError(exitCode.invalid, 'CONFIG_INVALID', `this is not valid:\n${all}`, 'correct it all, and run it again');
}
