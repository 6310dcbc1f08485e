import type { Protocol } from '../../../core/model/index.ts';
import type { Routing } from '../../../core/traffic/index.ts';
import { type L4Choice, pickWeighted, placeOf } from '../../routing/index.ts';
import type { PlainRule } from '../contract.ts';
import type { Connection } from './connection.ts';
import type { EngineParts } from './engine-parts.ts';
import { readHello } from './hello-reader.ts';

/** `preface`: what was read on the way, and is owed to the upstream. */
export interface ChosenCluster {
  readonly clusterName: string;
  readonly preface: Buffer | undefined;
}

const byteStreams: ReadonlySet<Protocol> = new Set(['tcp', 'tls']);

/**
 * Where a byte stream goes: by the first rule of its listener's routing that matches, among that rule's destinations by weight.
 * Only of TLS anything is read before, because other servers may speak first. Undefined: nowhere, and the connection says why.
 */
export async function chooseCluster(connection: Connection, rule: PlainRule, parts: EngineParts): Promise<ChosenCluster | undefined> {
  const routing = rule.routingName === undefined ? undefined : parts.tables().routings.get(rule.routingName);
  if (routing === undefined || !byteStreams.has(rule.protocol)) return { clusterName: rule.clusterName, preface: undefined };
  let preface: Buffer | undefined;
  if (rule.protocol === 'tls' && routing.l4.some(({ matches }) => matches.some(({ sniHosts }) => sniHosts.length > 0))) {
    const { clock, limits } = parts.options;
    connection.due(clock.monotonic() + limits.helloTimeoutMs, 'hello-timeout');
    const read = await readHello(connection.socket, limits.maxHelloBytes);
    if (!read.ok) {
      connection.fault(read.fault, 'no ClientHello could be read', 'DPE');
      return undefined;
    }
    connection.sni = read.hello.sni ?? '';
    connection.due(clock.monotonic() + limits.handshakeTimeoutMs, 'handshake-timeout');
    preface = read.bytes;
  }
  const clusterName = clusterByRules(connection, rule.routingName ?? '', routing, parts);
  return clusterName === undefined ? undefined : { clusterName, preface };
}

/** By the address that was dialled, and the connection's SNI where it is known. Undefined: nowhere, and the connection says why. */
export function clusterByRules(connection: Connection, routingName: string, routing: Routing, parts: EngineParts): string | undefined {
  const facts = { address: connection.destination.address, sni: connection.sni.toLowerCase() };
  const chosen = parts.router.of(routing).l4(facts);
  const place = chosen?.byHash === true ? placeOfSource(chosen, connection, parts) : undefined;
  const clusterName = pickWeighted(chosen?.destinations ?? [], place ?? parts.options.random())?.destination.cluster ?? '';
  if (clusterName !== '') return clusterName;
  if (chosen === undefined) connection.fault('no-route', `no rule of ${routingName} takes it`, 'NR');
  else connection.fault('no-cluster', `rule ${chosen.name} leads nowhere`, 'NC');
  return undefined;
}

/** Undefined: nothing that it may lead to is spread by who calls. */
function placeOfSource({ destinations }: L4Choice, { source }: Connection, parts: EngineParts): number | undefined {
  const { clusters } = parts.tables();
  const bySource = destinations.some(({ destination }) => {
    const balancer = clusters.get(destination.cluster)?.traffic?.loadBalancer;
    return balancer?.type === 'hash' && balancer.on.type === 'source-address';
  });
  return bySource ? placeOf(source.address) : undefined;
}
