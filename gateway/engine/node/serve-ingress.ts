import type { Duplex } from 'node:stream';
import { ByDomain } from '../../routing/index.ts';
import type { IngressEnd, IngressRule } from '../ingress-contract.ts';
import { abortStream } from './abort-stream.ts';
import { clusterByRules } from './choose-cluster.ts';
import type { ClientHello } from './client-hello.ts';
import type { Connection } from './connection.ts';
import type { EngineParts } from './engine-parts.ts';
import { readHello } from './hello-reader.ts';
import { serveForward } from './serve-forward.ts';

/** A connection from outside the mesh: in the clear as it is, by TLS to the end that has the server name. */
export async function serveIngress(connection: Connection, parts: EngineParts): Promise<void> {
  const ends = parts.tables().ingress?.get(connection.listener)?.ends ?? [];
  const plain = ends.find((end) => end.mode === 'plain');
  // Where TLS can't be meant nothing is read before the protocol is known: servers may speak first.
  if (ends.every((end) => end.mode === 'plain')) return serveEnd(connection, connection.socket, plain, parts);
  const { clock, limits } = parts.options;
  connection.due(clock.monotonic() + limits.helloTimeoutMs, 'hello-timeout');
  const read = await readHello(connection.socket, limits.maxHelloBytes);
  if (!read.ok) {
    if (read.fault === 'hello-not-tls' && plain !== undefined) {
      connection.socket.unshift(read.bytes);
      return serveEnd(connection, connection.socket, plain, parts);
    }
    connection.fault(read.fault, 'no ClientHello could be read', 'DPE');
    return abortStream(connection.socket);
  }
  connection.sni = read.hello.sni ?? '';
  const rule = parts.tables().ingress?.get(connection.listener);
  const end = rule === undefined ? undefined : domainsOf(rule).find(connection.sni);
  if (end === undefined) {
    if (connection.sni === '') connection.fault('no-sni', 'the client named nobody', 'NR');
    else connection.fault('unknown-sni', `nothing here is called ${connection.sni}`, 'NR');
    return abortStream(connection.socket);
  }
  connection.due(clock.monotonic() + limits.handshakeTimeoutMs, 'handshake-timeout');
  if (end.mode === 'passthrough') return forward(connection, connection.socket, end, read.bytes, parts);
  return terminate(connection, end, read.hello, read.bytes, parts);
}

async function terminate(connection: Connection, end: IngressEnd, hello: ClientHello, bytes: Buffer, parts: EngineParts): Promise<void> {
  if (end.tls === undefined) {
    connection.fault('no-certificate', `${end.name} has no certificate that could be used`, 'DPE');
    return abortStream(connection.socket);
  }
  const secure = await parts.ingressTerminator.terminate(connection.socket, bytes, hello.alpn, end.tls);
  if (!secure.ok) {
    connection.fault(secure.fault === 'identity' ? 'peer-refused' : 'handshake-failed', secure.reason, 'DPE');
    return;
  }
  connection.disowns(connection.socket);
  connection.owns(secure.socket);
  return serveEnd(connection, secure.socket, end, parts, secure.alpn);
}

function serveEnd(connection: Connection, socket: Duplex, end: IngressEnd | undefined, parts: EngineParts, alpn = ''): Promise<void> {
  if (end?.protocol === 'http') deliver(connection, socket, end, alpn, parts);
  else if (end !== undefined) return forward(connection, socket, end, undefined, parts);
  else {
    connection.fault('no-route', `listener ${connection.listener} leads nowhere yet`, 'NR');
    abortStream(socket);
  }
  return Promise.resolve();
}

/** Requests find their cluster by themselves. */
function deliver(connection: Connection, socket: Duplex, { mode, routingName }: IngressEnd, alpn: string, parts: EngineParts): void {
  connection.outcome = 'deliver';
  connection.due(Number.POSITIVE_INFINITY, '');
  parts.options.deliver({
    socket,
    id: connection.id,
    listener: connection.listener,
    clusterName: '',
    routingName,
    protocol: 'http',
    outside: mode === 'plain' ? 'http' : 'https',
    sni: connection.sni,
    alpn,
    source: connection.source,
    destination: connection.destination,
  });
}

async function forward(
  connection: Connection,
  socket: Duplex,
  { routingName }: IngressEnd,
  preface: Buffer | undefined,
  parts: EngineParts,
): Promise<void> {
  const routing = parts.tables().routings.get(routingName);
  if (routing === undefined) connection.fault('no-route', `${routingName} is not known here`, 'NR');
  const clusterName = routing === undefined ? undefined : clusterByRules(connection, routingName, routing, parts);
  if (clusterName === undefined) return abortStream(socket);
  return serveForward(connection, socket, clusterName, preface, parts);
}

const domains = new WeakMap<IngressRule, ByDomain<IngressEnd>>();

function domainsOf(rule: IngressRule): ByDomain<IngressEnd> {
  const known = domains.get(rule);
  if (known !== undefined) return known;
  const secure = rule.ends.filter((end) => end.mode !== 'plain');
  const made = new ByDomain(secure.flatMap((end) => (end.hosts.length === 0 ? ['*'] : end.hosts).map((host) => [host, end] as const)));
  domains.set(rule, made);
  return made;
}
