import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AgentOptionsInput } from '../../sidecar-vm/main.ts';
import { durationFlag, portFlag, serviceArgument } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';

type Service = NonNullable<AgentOptionsInput['services']>[number];
type Protocol = NonNullable<Service['protocol']>;
type Probe = NonNullable<Service['health']>['probe'];

/** What `vm join` and `vm service add` say of the services that run here. */
export interface ServiceFlags {
  readonly service: readonly ServiceFlag[];
  readonly port?: number;
  readonly appPort?: number;
  readonly appAddress: string;
  readonly protocol: Protocol;
  readonly health: readonly Meant<Probe>[];
  readonly healthInterval?: number;
  readonly healthTimeout?: number;
  readonly healthy?: number;
  readonly unhealthy?: number;
  readonly proxyProtocol: readonly Meant<'v1' | 'v2'>[];
  readonly clientCertHeader: readonly Meant<'set' | 'off'>[];
  readonly expose: readonly Meant<number | 'port'>[];
}

export interface ServiceFlag {
  readonly service: string;
  readonly port?: number;
  readonly appPort?: number;
  readonly protocol?: Protocol;
}

/** Of one service, or of all that none is said of. */
interface Meant<T> {
  readonly service?: string;
  readonly value: T;
}

const protocols = ['tcp', 'http', 'http2', 'grpc', 'tls'] as const satisfies readonly Protocol[];

const list = (flags: string, text: string, shown: string) => new Option(flags, text).default([], shown);

export function serviceFlags(command: Command): Command {
  const text = 'NAMESPACE/NAME[:PORT[:APP_PORT][:PROTOCOL]] that runs here; may be repeated';
  return serviceDetails(command.addOption(list('--service <service>', text, 'what the token is for').argParser(serviceFlag)));
}

/** All but which. */
export function serviceDetails(command: Command): Command {
  return command
    .option('--port <port>', 'port of the service, as callers dial it, where the service does not say', portFlag)
    .option('--app-port <port>', 'port that the app listens on, where the service does not say (default: the port)', portFlag)
    .option('--app-address <ip>', 'where the app listens', '127.0.0.1')
    .addOption(new Option('--protocol <protocol>', 'what is spoken, where the service does not say').choices(protocols).default('http'))
    .addOption(
      list('--health <probe>', '[NAMESPACE/NAME=]http:/PATH, tcp, grpc[:SERVICE] or exec:COMMAND; may be repeated', 'tcp').argParser(
        meant(probeFlag),
      ),
    )
    .option('--health-interval <duration>', 'between two checks (default: 1s)', durationFlag)
    .option('--health-timeout <duration>', 'how long a check may take (default: 1s)', durationFlag)
    .option('--healthy <times>', 'passes in a row that make a service healthy (default: 1)', timesFlag)
    .option('--unhealthy <times>', 'failures in a row that make it unhealthy (default: 2)', timesFlag)
    .addOption(
      list(
        '--proxy-protocol <version>',
        '[NAMESPACE/NAME=]v1 or v2: connections to the app begin with who called; may be repeated',
        'they do not',
      ).argParser(meant(choice(['v1', 'v2']))),
    )
    .addOption(
      list(
        '--client-cert-header <which>',
        '[NAMESPACE/NAME=]set or off: requests say who called in x-forwarded-client-cert; may be repeated',
        'set',
      ).argParser(meant(choice(['set', 'off']))),
    )
    .addOption(
      list(
        '--expose <port>',
        "[NAMESPACE/NAME=]PORT, or 'port' for the service's own: callers without mesh come to this machine's address there, as PeerAuthentication has it; may be repeated",
        'mTLS alone comes in',
      ).argParser(meant(exposeFlag)),
    );
}

/** For parseAgentOptions to judge. A CliError when the flags do not go together. `address`: of this machine, for what is exposed. */
export function servicesOf(flags: ServiceFlags, address = ''): Service[] {
  const { service, port } = flags;
  const known = new Set(service.map((each) => each.service));
  const strangers = [...flags.health, ...flags.proxyProtocol, ...flags.clientCertHeader, ...flags.expose].flatMap(
    (each) => each.service ?? [],
  );
  const stranger = strangers.find((each) => !known.has(each));
  if (stranger !== undefined) throw usage(`a flag speaks of ${stranger}, which is no --service`, 'name it in --service as well');
  if (port !== undefined && (service.length !== 1 || service[0]?.port !== undefined)) {
    throw usage('--port goes with one --service NAMESPACE/NAME', 'say --service NAMESPACE/NAME:PORT for each');
  }
  if (flags.appPort !== undefined && service.length > 1) {
    throw usage('--app-port goes with one --service', 'say --service NAMESPACE/NAME:PORT:APP_PORT for each');
  }
  return service.map((each) => serviceOf(each, flags, address));
}

function serviceOf(each: ServiceFlag, flags: ServiceFlags, address: string): Service {
  const { appAddress, healthInterval, healthTimeout, healthy, unhealthy } = flags;
  const port = each.port ?? flags.port;
  if (port === undefined) throw usage(`which port has ${each.service}?`, `say --service ${each.service}:PORT`);
  const [namespace = '', name = ''] = each.service.split('/');
  const said = { intervalMs: healthInterval, timeoutMs: healthTimeout, healthy, unhealthy };
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  const proxyProtocol = meantFor(each.service, flags.proxyProtocol);
  const exposed = meantFor(each.service, flags.expose);
  if (exposed !== undefined && address === 'auto')
    throw usage(`${each.service} cannot be exposed at an address that is found by itself`, 'say which it is: vm join --address IP');
  const certificate = meantFor(each.service, flags.clientCertHeader);
  return {
    namespace,
    name,
    port,
    protocol: each.protocol ?? flags.protocol,
    appAddress,
    appPort: each.appPort ?? flags.appPort ?? port,
    health: { probe: meantFor(each.service, flags.health) ?? { kind: 'tcp' }, ...given },
    ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
    ...(exposed === undefined ? {} : { expose: { address, port: exposed === 'port' ? port : exposed } }),
    ...(certificate === 'off' ? { forwardClientCert: 'sanitize' as const } : {}),
  };
}

function meantFor<T>(service: string, all: readonly Meant<T>[]): T | undefined {
  return (all.findLast((each) => each.service === service) ?? all.findLast((each) => each.service === undefined))?.value;
}

export function serviceFlag(text: string, before: readonly ServiceFlag[] = []): readonly ServiceFlag[] {
  const [service = '', ...rest] = text.split(':');
  const named = rest.at(-1);
  const protocol = protocols.find((each) => each === named);
  const [port, appPort, ...more] = protocol === undefined ? rest : rest.slice(0, -1);
  if (more.length > 0)
    throw new InvalidArgumentError('It must be NAMESPACE/NAME[:PORT[:APP_PORT][:PROTOCOL]], such as shop/orders:80:8080:http.');
  const ports = {
    ...(port === undefined ? {} : { port: portFlag(port) }),
    ...(appPort === undefined ? {} : { appPort: portFlag(appPort) }),
  };
  return [...before, { service: serviceArgument(service), ...ports, ...(protocol === undefined ? {} : { protocol }) }];
}

/** `VALUE`, or `NAMESPACE/NAME=VALUE`. */
function meant<T>(parse: (text: string) => T): (text: string, before: readonly Meant<T>[]) => readonly Meant<T>[] {
  return (text, before) => {
    const [, service, value] = /^([a-z0-9-]+\/[a-z0-9-]+)=(.*)$/s.exec(text) ?? [];
    return [...before, { ...(service === undefined ? {} : { service: serviceArgument(service) }), value: parse(value ?? text) }];
  };
}

function exposeFlag(text: string): number | 'port' {
  return text === 'port' ? text : portFlag(text);
}

function choice<T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((each) => each === text);
    if (found === undefined) throw new InvalidArgumentError(`It must be ${choices.join(' or ')}.`);
    return found;
  };
}

/** `http:/PATH`, `tcp`, `grpc`, `grpc:SERVICE` or `exec:COMMAND ARGUMENT...`; a command's parts are separated by spaces, there is no shell. */
function probeFlag(text: string): Probe {
  if (text === 'tcp') return { kind: 'tcp' };
  if (text === 'grpc') return { kind: 'grpc' };
  if (/^grpc:\S+$/.test(text)) return { kind: 'grpc', service: text.slice('grpc:'.length) };
  if (/^http:\/\S*$/.test(text)) return { kind: 'http', path: text.slice('http:'.length) };
  const [file, ...rest] = text.startsWith('exec:') ? text.slice('exec:'.length).split(' ').filter(Boolean) : [];
  if (file === undefined) throw new InvalidArgumentError('It must be http:/PATH, tcp, grpc, grpc:SERVICE or exec:COMMAND.');
  return { kind: 'exec', command: [file, ...rest] };
}

function timesFlag(text: string): number {
  const times = Number(text);
  if (!/^[0-9]{1,4}$/.test(text) || times < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return times;
}

function usage(message: string, next: string): CliError {
  return new CliError(exitCode.invalid, 'USAGE', message, next);
}
