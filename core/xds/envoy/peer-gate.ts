import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type AuthzTest, escapeRegex } from '../../authz/index.ts';
import type { Filter } from '../gen/envoy/config/listener/v3/listener_components.ts';
import { FilterStateValue, FilterStateValue_SharedWithUpstream } from '../gen/envoy/extensions/filters/common/set_filter_state/v3/value.ts';
import { TcpProxy } from '../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import type { Authorization } from './authorization.ts';
import { addressRegex } from './cidr-regex.ts';
import type { EnvoyCondition } from './envoy-condition.ts';
import { peerSerialIn } from './peer-serial.ts';
import { ruleCondition } from './san-condition.ts';
import { setAfterHandshake, setAtBeginning } from './set-filter-state.ts';

/*
 * Envoy's network RBAC decides when the first byte comes. By then its tcp_proxy has long dialled, and whatever a server says first
 * (MySQL, SMTP) went to whoever finished the handshake. So for plain TCP the end of the handshake decides already where to dial, and
 * for whom nowhere. tcp_proxy looks for its xDS cluster before that, so what the handshake can choose is the address of one application, or,
 * where endpoints come and go, the xDS cluster of an internal listener behind it (internal-hop.ts).
 */

export type GateTarget = { readonly app: string } | { readonly clusterOfHop: string };

/** Goes before `afterHandshake`: says where to dial, if the peer may call. */
export function peerGate(authorization: Authorization, target: GateTarget): Filter {
  const toApp = 'app' in target;
  const format = gateFormat(authorization, toApp ? target.app : target.clusterOfHop);
  const value = decided(toApp ? originalDestination : 'envoy.tcp_proxy.cluster', format);
  const shared = toApp ? FilterStateValue_SharedWithUpstream.NONE : FilterStateValue_SharedWithUpstream.ONCE;
  return setAfterHandshake({ ...value, sharedWithUpstream: shared });
}

/**
 * The same for callers in the clear, whose beginning is all there is: to the xDS cluster and the application that it stands for, or to none.
 * Goes before a tcp_proxy to none.
 */
export function plaintextGate(authorization: Authorization, cluster: string, app: string): Filter {
  return setAtBeginning(
    decided('envoy.tcp_proxy.cluster', gateFormat(authorization, cluster)),
    decided(originalDestination, gateFormat(authorization, app)),
  );
}

const originalDestination = 'envoy.network.transport_socket.original_dst_address';

function decided(key: string, format: string): FilterStateValue {
  return FilterStateValue.create({
    key: { $case: 'objectKey', value: key },
    value: {
      $case: 'formatString',
      value: { format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: format } } } },
    },
    skipIfEmpty: true,
  });
}

/** `config`, dialling only when the handshake is over. */
export function afterHandshake(config: TcpProxy): Any {
  const late = new BinaryWriter()
    // upstream_connect_mode: ON_DOWNSTREAM_TLS_HANDSHAKE
    .uint32(21 << 3)
    .int32(2)
    // max_early_data_bytes: 0, which it demands to be said
    .uint32((22 << 3) | 2)
    .bytes(new Uint8Array());
  return {
    typeUrl: 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
    value: Buffer.concat([TcpProxy.encode(config).finish(), late.finish()]),
  };
}

/**
 * Common Expression Language over the first SAN of each kind. A second one is for the RBAC filter to refuse: whoever has a certificate with
 * two could have had one with either.
 */
function gateFormat({ trustDomain, rules, deniedSerials, port, federated, plaintext }: Authorization, where: string): string {
  const place = { trustDomain, transport: 'tcp' as const, port, federated, plaintext, beyond };
  const any = (action: 'allow' | 'deny') =>
    rules
      .filter((rule) => rule.action === action)
      .map((rule) => expression(ruleCondition(rule, place)))
      .join(' || ') || 'false';
  const takenBack = deniedSerials.length === 0 ? 'false' : peerSerialIn(deniedSerials);
  return `%CEL(!(${takenBack}) && !(${any('deny')}) && (${any('allow')}) ? '${where}' : '')%`;
}

/** What no expression says; without it a rule lets in fewer, or refuses more. */
function beyond({ attribute, patterns }: AuthzTest): boolean {
  return attribute.endsWith('-ip') && patterns.some((cidr) => addressRegex(cidr) === undefined);
}

function expression(condition: EnvoyCondition): string {
  switch (condition.kind) {
    case 'all':
      return `(${condition.of.map(expression).join(' && ')})`;
    case 'any':
      return `(${anyOf(condition.of).map(expression).join(' || ')})`;
    case 'not':
      return `!${expression(condition.of)}`;
    case 'uri':
    case 'dns':
      return `connection.${condition.kind}_san_peer_certificate.matches(r'^(${condition.regex})$')`;
    case 'test':
      return `(${testExpressions(condition.test).join(' || ')})`;
    case 'always':
      return 'true';
    case 'never':
      return 'false';
  }
}

/**
 * Envoy takes 100,000 characters of an expression, and patterns of some ten thousand: some of one kind become one pattern, which leaves room
 * for about a thousand principals in all.
 */
function anyOf(conditions: readonly EnvoyCondition[]): readonly EnvoyCondition[] {
  const merged = (['uri', 'dns'] as const).flatMap((kind) => {
    const regexes = conditions.flatMap((c) => (c.kind === kind ? [c.regex] : []));
    const groups = Array.from({ length: Math.ceil(regexes.length / perPattern) }, (_, i) =>
      regexes.slice(i * perPattern, (i + 1) * perPattern),
    );
    return groups.map((group) => ({ kind, regex: group.join('|') }));
  });
  return [...merged, ...conditions.filter((c) => c.kind !== 'uri' && c.kind !== 'dns')];
}

const perPattern = 16;

function testExpressions({ attribute, patterns }: AuthzTest): readonly string[] {
  if (attribute === 'sni') return patterns.map((pattern) => `connection.requested_server_name.matches(r'^(${middle(pattern)})$')`);
  const side = attribute === 'source-ip' ? 'source' : 'destination';
  return patterns.map((cidr) => `${side}.address.matches(r'^(${addressRegex(cidr) ?? '-'})$')`);
}

function middle(pattern: string): string {
  if (pattern === '*') return '.+';
  if (pattern.endsWith('*')) return `${escapeRegex(pattern.slice(0, -1))}.*`;
  return pattern.startsWith('*') ? `.*${escapeRegex(pattern.slice(1))}` : escapeRegex(pattern);
}
