import type { TLSSocket } from 'node:tls';
import type { Svid } from '../../../core/identity/index.ts';
import { controlServiceAccount, type Protocol, systemNamespace } from '../../../core/model/index.ts';
import { ejectionKey, lookedAt, type PeerIdentity, type SniRule } from '../contract.ts';
import { connectionDenial, connectionFacts, denialOf, factsOf } from '../evaluate-authz.ts';
import { findSniRule } from '../find-sni-rule.ts';
import { isHttp } from '../is-http.ts';
import { abortStream } from './abort-stream.ts';
import type { ClientHello } from './client-hello.ts';
import { type Connection, peerDenied } from './connection.ts';
import type { EngineParts } from './engine-parts.ts';
import { readHello } from './hello-reader.ts';
import { serveForward } from './serve-forward.ts';
import type { TlsEnd } from './tls-ends.ts';

export type TerminateRule = Extract<SniRule, { mode: 'terminate' }>;

/** A TLS connection: by the name it asks for, either through as it is, or to its mTLS end here. */
export async function serveSni(connection: Connection, parts: EngineParts): Promise<void> {
  const { clock, limits } = parts.options;
  connection.due(clock.monotonic() + limits.helloTimeoutMs, 'hello-timeout');
  const read = await readHello(connection.socket, limits.maxHelloBytes);
  if (!read.ok) {
    connection.fault(read.fault, 'no ClientHello could be read', 'DPE');
    return abortStream(connection.socket);
  }
  connection.sni = read.hello.sni ?? '';
  const rule = findSniRule(parts.tables().sni, connection.sni);
  if (rule === undefined) {
    if (connection.sni === '') connection.fault('no-sni', 'the client named nobody', 'NR');
    else connection.fault('unknown-sni', `nothing here is called ${connection.sni}`, 'NR');
    return abortStream(connection.socket);
  }
  if (rule.mode === 'tunnel') return takeTunnel(connection, rule.alpn, read.hello, read.bytes, parts);
  if (rule.mode === 'terminate') return endMtls(connection, rule, read.hello, read.bytes, parts);
  connection.clusterName = rule.clusterName;
  // To the first byte from behind.
  connection.due(clock.monotonic() + limits.handshakeTimeoutMs, 'handshake-timeout');
  return serveForward(connection, connection.socket, rule.clusterName, read.bytes, parts);
}

/** The end of mTLS is here. `bytes`: what was read, the hello first. */
export async function endMtls(
  connection: Connection,
  rule: TerminateRule,
  hello: ClientHello,
  bytes: Buffer,
  parts: EngineParts,
): Promise<void> {
  const { clock, limits } = parts.options;
  connection.clusterName = rule.clusterName;
  connection.due(clock.monotonic() + limits.handshakeTimeoutMs, 'handshake-timeout');
  connection.end = rule.end;
  if (!isHttp(rule.protocol) && !(await mayAnswer(connection, rule.clusterName, parts))) {
    connection.fault('upstream-connect', 'nothing behind answers; closed before a byte, so that the caller tries elsewhere', 'UF');
    return abortStream(connection.socket);
  }
  return terminate(connection, rule, hello, bytes, parts);
}

/**
 * While everything behind has lately refused connections, one is tried before the handshake: once that is done a byte
 * stream cannot be sent to another endpoint any more, before it every gateway on the way can. In good times nobody who has
 * not proven an identity makes us connect anywhere.
 */
async function mayAnswer(connection: Connection, clusterName: string, parts: EngineParts): Promise<boolean> {
  const { clusters, ejected } = parts.tables();
  const cluster = clusters.get(clusterName);
  const endpoints = cluster?.endpoints ?? [];
  if (cluster === undefined || endpoints.some((each) => !ejected.has(ejectionKey(clusterName, each)))) return true;
  for (const endpoint of endpoints) {
    const { connectTimeoutMs } = cluster;
    const dialled = await parts.dial({ clusterName, endpoint, connectTimeoutMs, signal: connection.abort.signal });
    parts.options.onAttempt({ clusterName, endpoint, result: dialled.ok ? 'ok' : dialled.failure });
    if (!dialled.ok) continue;
    dialled.socket.destroy();
    return true;
  }
  return false;
}

/** Which of those who prove an identity may have one is the receiver's to say. */
async function takeTunnel(connection: Connection, alpn: string, hello: ClientHello, bytes: Buffer, parts: EngineParts): Promise<void> {
  const { clock, limits, deliver } = parts.options;
  if (!hello.alpn.includes(alpn)) {
    connection.fault('handshake-failed', `the client does not speak ${alpn}`, 'DPE');
    return abortStream(connection.socket);
  }
  connection.due(clock.monotonic() + limits.handshakeTimeoutMs, 'handshake-timeout');
  const end = await handshake(connection, [alpn], bytes, parts);
  if (end === undefined) return;
  connection.outcome = 'deliver';
  connection.due(Number.POSITIVE_INFINITY, '');
  const { id, listener, sni, source, destination } = connection;
  deliver({
    ...{ socket: end.socket, id, listener, clusterName: '', protocol: 'tcp', sni, alpn: end.alpn, peer: end.peer },
    ...{ tunnel: true, source, destination },
  });
}

/** Undefined: it failed, and the connection says why. `shown`: in place of our own SVID. */
async function handshake(
  connection: Connection,
  alpn: readonly string[],
  bytes: Buffer,
  parts: EngineParts,
  shown?: Svid,
): Promise<Extract<TlsEnd, { ok: true }> | undefined> {
  const { svid, trust } = parts.tables();
  // Before the engine reports it.
  const onClose = () => connection.fault('handshake-failed', 'closed during the handshake', 'DPE');
  connection.socket.prependOnceListener('close', onClose);
  const { clock } = parts.options;
  const begun = clock.monotonic();
  const end = await parts.terminator.terminate(connection.socket, bytes, alpn, shown ?? svid, trust);
  connection.socket.off('close', onClose);
  if (!end.ok) {
    connection.fault(end.fault === 'identity' ? 'peer-refused' : 'handshake-failed', end.reason, 'DPE');
    return undefined;
  }
  parts.latencies.add('handshake', connection.listener, clock.monotonic() - begun);
  connection.disowns(connection.socket);
  connection.owns(end.socket);
  connection.peer = end.peer;
  // What was taken back while hands were shaken.
  const { serial } = end.peer;
  if (serial === undefined || !parts.tables().trust.deniedSerials.includes(serial)) return end;
  connection.breakOff(...peerDenied);
  return undefined;
}

async function terminate(
  connection: Connection,
  before: TerminateRule,
  hello: ClientHello,
  bytes: Buffer,
  parts: EngineParts,
): Promise<void> {
  const { deliver } = parts.options;
  const alpn = alpnOf(before.protocol).filter((each) => hello.alpn.includes(each));
  const end = await handshake(connection, alpn, bytes, parts, before.svid);
  if (end === undefined) return;
  // By what holds now: whoever lost the right while hands were shaken is not let in.
  const rule = findSniRule(parts.tables().sni, connection.sni);
  const http = isHttp(before.protocol);
  if (rule?.mode !== 'terminate' || isHttp(rule.protocol) !== http) {
    connection.fault('rule-changed', `${connection.sni} was taken back, or is served otherwise, since the handshake began`, 'NR');
    return abortStream(end.socket);
  }
  connection.clusterName = rule.clusterName;
  connection.end = rule.end;
  const facts = factsOf(end.peer, connectionFacts(connection), http ? undefined : 'none');
  const denied = http ? connectionDenial(rule.authz, facts) : denialOf(rule.authz, facts);
  if (!http) {
    if (denied !== undefined) return refuse(connection, end.socket, end.peer, denied);
    connection.authz = rule.authz;
    return serveForward(connection, end.socket, rule.clusterName, undefined, parts);
  }
  connection.outcome = 'deliver';
  connection.due(Number.POSITIVE_INFINITY, '');
  if (denied !== undefined) connection.fault('rbac-denied', `${end.peer.principal}: ${denied}`);
  deliver({
    socket: end.socket,
    id: connection.id,
    listener: connection.listener,
    clusterName: rule.clusterName,
    protocol: rule.protocol,
    sni: connection.sni,
    alpn: end.alpn,
    peer: end.peer,
    end: rule.end,
    ...(rule.nameless === undefined ? {} : { nameless: rule.nameless }),
    ...(denied === undefined ? {} : { denied }),
    source: connection.source,
    destination: connection.destination,
  });
}

function refuse(connection: Connection, socket: TLSSocket, peer: PeerIdentity, denied: string): void {
  // A control plane looks who is here, and sends nothing: no caller was refused.
  const looks = peer.namespace === systemNamespace && peer.serviceAccount === controlServiceAccount;
  connection.fault(looks ? lookedAt : 'rbac-denied', `${peer.principal}: ${denied}`);
  abortStream(socket);
}

/** Who asks for HTTP/2 at a port of HTTP/1.1 was told to (h2Upgrade); what is behind gets its own version. */
function alpnOf(protocol: Protocol): readonly string[] {
  if (protocol === 'http') return ['http/1.1', 'h2'];
  return isHttp(protocol) ? ['h2'] : [];
}
