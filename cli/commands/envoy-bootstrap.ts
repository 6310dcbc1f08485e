import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import { formatViolation } from '../../core/validate.ts';
import type { EnvoyAdminAddress } from '../../core/xds/envoy/index.ts';
import type { ClientKind, HttpClaim, InboundClaim, NodeClaims, OutboundClaim } from '../../core/xds/index.ts';
import type { EnvoyNode } from '../../gateway/index.ts';
import { countFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode, exitCodesHelp } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { adminFlag, httpFlag, inboundFlag, upstreamFlag } from './envoy-bootstrap-flags.ts';
import { listenFlag, usualStateDir } from './vm-join-flags.ts';

interface Flags {
  readonly stateDir: string;
  readonly kind?: 'sidecar' | 'gateway' | 'ingress';
  readonly upstream: readonly OutboundClaim[];
  readonly expose: readonly OutboundClaim[];
  readonly inbound: readonly InboundClaim[];
  readonly inboundListen?: { readonly address: string; readonly port: number };
  readonly http: readonly HttpClaim[];
  readonly admin: EnvoyAdminAddress;
  readonly instance?: string;
  readonly xds: 'delta' | 'sotw';
  readonly maxConnections: number;
  readonly output: 'json' | 'yaml';
}

const examples = [
  'envoy bootstrap --upstream shop/orders:8080=127.0.0.1:9001 > envoy.json && envoy -c envoy.json',
  'envoy bootstrap --inbound shop/web:8080=127.0.0.1:3000 --output yaml > envoy.yaml',
  'envoy bootstrap --kind ingress --http 0.0.0.0:8080=shop/web:8080,shop/orders:8080',
  'envoy bootstrap --kind gateway --state-dir /var/lib/isthmus-gateway',
];

/** `isthmus envoy bootstrap`: for an Envoy that somebody else runs. */
export function addEnvoyBootstrap(envoy: Command, io: Io): void {
  envoy
    .command('bootstrap')
    .description("print the bootstrap of an Envoy that joins the mesh with this node's identity (isthmus agent or gateway, --proxy none)")
    .option('--state-dir <folder>', 'of the agent or gateway that runs on this node', usualStateDir)
    .addOption(
      new Option('--kind <kind>', 'what Envoy is (default: sidecar beside an agent, gateway beside a gateway)').choices([
        'sidecar',
        'gateway',
        'ingress',
      ]),
    )
    .addOption(
      repeated('--upstream <service=bind>', 'NAMESPACE/NAME:PORT=IP:PORT, a service to call and where Envoy listens for it', upstreamFlag),
    )
    .addOption(
      repeated(
        '--inbound <service=app>',
        "NAMESPACE/NAME:PORT=IP:PORT[/PROTOCOL], a service to serve and where its program listens (default: the agent's)",
        inboundFlag,
      ),
    )
    .addOption(
      repeated(
        '--expose <service=bind>',
        'NAMESPACE/NAME:PORT=IP:PORT, where callers without mesh come to a service that is served, as PeerAuthentication has it',
        upstreamFlag,
      ),
    )
    .option('--inbound-listen <address:port>', "where mTLS comes in (default: the agent's or gateway's)", listenFlag)
    .addOption(repeated('--http <bind=services>', 'IP:PORT=NAMESPACE/NAME:PORT,..., one port for several HTTP services by Host', httpFlag))
    .addOption(
      new Option('--admin <address>', "Envoy's admin interface: loopback IP:PORT, or the path of a socket")
        .argParser(adminFlag)
        .default({ address: '127.0.0.1', port: 15_000 }, '127.0.0.1:15000'),
    )
    .option('--instance <name>', "unique among this identity's clients (default: the agent's, and .envoy)")
    .addOption(
      new Option('--xds <variant>', 'how it is fed: deltas, or the state of the world').choices(['delta', 'sotw']).default('delta'),
    )
    .option('--max-connections <count>', 'from callers, over all listeners', countFlag, 10_000)
    .addOption(new Option('-o, --output <format>', 'how it is printed').choices(['json', 'yaml']).default('json'))
    .addHelpText('after', `\nExamples:\n${examples.map((e) => `  $ isthmus ${e}`).join('\n')}\n${exitCodesHelp}`)
    .action(async (flags: Flags) => {
      const bootstrap = await bootstrapOf(flags);
      io.out(flags.output === 'json' ? `${JSON.stringify(bootstrap, null, 2)}\n` : stringify(bootstrap));
    });
}

async function bootstrapOf(flags: Flags): Promise<object> {
  const [{ envoyFiles, loadEnvoyNode }, { buildEnvoyBootstrap }] = await Promise.all([
    import('../../gateway/envoy/index.ts'),
    import('../../core/xds/envoy/index.ts'),
  ]);
  const node = await loadEnvoyNode(flags.stateDir);
  if (!node.ok) throw new CliError(exitCode.invalid, 'CONFIG_INVALID', node.violations.map(formatViolation).join('\n  '));
  const { identity, cluster, network, locality, labels, controlAddresses, instance } = node.value;
  const kind = kindOf(flags.kind, node.value);
  const name = flags.instance ?? `${instance}.envoy`;
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(name)) throw usage('--instance has letters, digits and . _ - only, at most 128');
  const claims = claimsOf(flags, kind, node.value);
  const twice = boundTwice(claims, flags.admin);
  if (twice.length > 0) throw usage(`one address for two things: ${twice.join(', ')}`);
  return buildEnvoyBootstrap({
    kind,
    identity,
    cluster,
    network,
    locality,
    labels,
    controlAddresses,
    instance: name,
    claims,
    agentSocket: resolve(envoyFiles(flags.stateDir).socket),
    admin: flags.admin,
    listenersFrom: 'control',
    transport: flags.xds,
    maxConnections: flags.maxConnections,
  });
}

function kindOf(asked: Flags['kind'], node: EnvoyNode): ClientKind {
  if (asked === undefined) return node.kind;
  if ((asked === 'gateway') !== (node.kind === 'gateway')) {
    throw usage(
      `this folder is of ${node.kind === 'gateway' ? 'a gateway' : 'an agent'}, whose identity cannot be ${asked === 'gateway' ? 'a gateway' : `${asked}`}`,
    );
  }
  return asked === 'sidecar' ? 'agent' : asked;
}

function claimsOf(flags: Flags, kind: ClientKind, node: EnvoyNode): NodeClaims {
  const { address, port } = flags.inboundListen ?? node.inbound;
  const originate = kind === 'gateway' ? { originate: node.inbound.originate ?? address } : {};
  const served = flags.inbound.length > 0 ? flags.inbound : node.inbound.services;
  const services = served.map((each): InboundClaim => {
    const door = flags.expose.find((e) => e.namespace === each.namespace && e.name === each.name && e.port === each.port);
    return door === undefined ? each : { ...each, expose: { address: door.address, port: door.listen } };
  });
  const stray = flags.expose.find(({ listen, address }) => !services.some(({ expose: e }) => e?.port === listen && e.address === address));
  if (stray !== undefined)
    throw usage(`--expose speaks of ${stray.namespace}/${stray.name}:${stray.port}, which is served at no --inbound`);
  const serves = kind === 'gateway' || (kind === 'agent' && services.length > 0) || flags.inbound.length > 0;
  return {
    ...(serves ? { inbound: { address, port, services, ...originate } } : {}),
    outbound: flags.upstream,
    http: flags.http,
    anchors: [],
  };
}

/** A listener is named by its address: the second one would take the place of the first without a word. */
function boundTwice({ inbound, outbound, http }: NodeClaims, admin: EnvoyAdminAddress): readonly string[] {
  const binds = [
    ...[...outbound, ...http].map(({ address, listen }) => `${address}:${listen}`),
    ...(inbound === undefined ? [] : [`${inbound.address}:${inbound.port}`]),
    ...(inbound?.services ?? []).flatMap(({ expose }) => (expose === undefined ? [] : [`${expose.address}:${expose.port}`])),
    ...('path' in admin ? [] : [`${admin.address}:${admin.port}`]),
  ];
  return [...new Set(binds.filter((bind, i) => binds.indexOf(bind) !== i))];
}

function repeated<T>(flags: string, text: string, parse: (value: string, before: readonly T[]) => readonly T[]): Option {
  return new Option(flags, `${text}; may be repeated`).argParser(parse).default([], 'none');
}

function usage(message: string): CliError {
  return new CliError(exitCode.invalid, 'USAGE', message, 'see isthmus envoy bootstrap --help');
}
