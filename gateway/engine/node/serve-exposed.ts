import type { ExposedRule } from '../contract.ts';
import { connectionDenial, connectionFacts, denialOf, factsOf } from '../evaluate-authz.ts';
import { findSniRule } from '../find-sni-rule.ts';
import { isHttp } from '../is-http.ts';
import { abortStream } from './abort-stream.ts';
import type { Connection } from './connection.ts';
import type { EngineParts } from './engine-parts.ts';
import { type HelloRead, readHello } from './hello-reader.ts';
import { serveForward } from './serve-forward.ts';
import { endMtls } from './serve-sni.ts';

/** See EngineLimits.quietMs. */
export const usualQuietMs = 1_000;

/** The word for a caller that would have been taken, but for STRICT. */
export const plaintextRefused = 'plaintext-refused';

/**
 * A service's own port: mTLS and plaintext are told apart by the first bytes, as the service's mode says. Where mTLS is disabled nothing is
 * looked at: bytes go on as they come, whatever they are.
 */
export async function serveExposed(connection: Connection, parts: EngineParts): Promise<void> {
  const { clock, limits } = parts.options;
  const before = ruleOf(connection, parts);
  if (before === undefined) return;
  if (before.mode === 'disable') return takeInTheClear(connection, before, parts);
  connection.due(clock.monotonic() + limits.helloTimeoutMs, 'hello-timeout');
  const read = await firstFlight(connection, before, parts);
  if (connection.socket.destroyed) return;
  // By what holds now: rules may have changed while it was waited for the first bytes.
  const exposed = ruleOf(connection, parts);
  if (exposed === undefined) return;
  const { end, mode } = exposed;
  // A probe that looks whether somebody listens.
  if (!read.ok && read.fault === 'hello-incomplete' && read.bytes.length === 0) {
    connection.fault('hello-incomplete', 'ended before a byte', 'DC');
    return abortStream(connection.socket);
  }
  if (read.ok) {
    const rule = findSniRule(parts.tables().sni, read.hello.sni ?? '');
    if (rule?.mode === 'terminate' && rule.clusterName === end.clusterName) {
      connection.sni = read.hello.sni ?? '';
      return endMtls(connection, rule, read.hello, read.bytes, parts);
    }
  }
  // The application's own TLS, as far as a byte stream's application may have one.
  if (looksLikeTls(read) && (mode === 'strict' || isHttp(end.protocol) || !read.ok)) {
    const asked = read.ok && read.hello.sni !== undefined ? `TLS that asks for ${read.hello.sni}` : 'TLS that asks for nobody of the mesh';
    connection.fault(read.ok ? 'foreign-tls' : read.fault, `${asked}: ${nameOf(exposed)} takes ${taken(exposed)}`, 'NR');
    return abortStream(connection.socket);
  }
  if (mode === 'strict') {
    connection.fault(plaintextRefused, `${nameOf(exposed)} takes ${taken(exposed)}`, 'NR');
    return abortStream(connection.socket);
  }
  if (read.bytes.length > 0) connection.socket.unshift(read.bytes);
  return takeInTheClear(connection, exposed, parts);
}

/** Of the moment. Undefined: there is none, and the connection is over. */
function ruleOf(connection: Connection, parts: EngineParts): ExposedRule | undefined {
  const exposed = parts.tables().exposed?.get(connection.listener);
  if (exposed === undefined) {
    connection.fault('no-route', `listener ${connection.listener} leads nowhere yet`, 'NR');
    abortStream(connection.socket);
    return undefined;
  }
  connection.end = exposed.end.end;
  connection.clusterName = exposed.end.clusterName;
  return exposed;
}

/** Of a byte stream whose server may speak first nobody waits long for a byte. */
async function firstFlight(connection: Connection, { end, mode }: ExposedRule, parts: EngineParts): Promise<HelloRead> {
  const { clock, limits } = parts.options;
  const { socket } = connection;
  if (mode === 'strict' || isHttp(end.protocol)) return readHello(socket, limits.maxHelloBytes);
  const heard = new AbortController();
  const quiet = clock.sleep(limits.quietMs ?? usualQuietMs, heard.signal);
  quiet.catch(() => {});
  try {
    return await readHello(
      socket,
      limits.maxHelloBytes,
      quiet.catch(() => new Promise(() => {})),
    );
  } finally {
    heard.abort();
  }
}

/** Also what broke off, or is none after a beginning like one. */
function looksLikeTls(read: HelloRead): boolean {
  return read.ok || (read.fault !== 'hello-not-tls' && read.bytes.length > 0);
}

async function takeInTheClear(connection: Connection, { end, port }: ExposedRule, parts: EngineParts): Promise<void> {
  const { socket, id, listener, source, destination } = connection;
  const { clusterName, protocol, authz } = end;
  connection.inTheClear = port;
  const http = isHttp(protocol);
  const facts = factsOf(undefined, connectionFacts(connection), http ? undefined : 'none');
  const denied = http ? connectionDenial(authz, facts) : denialOf(authz, facts);
  if (denied !== undefined) connection.fault('rbac-denied', `plaintext from ${source.address}: ${denied}`);
  if (!http) {
    if (denied !== undefined) return abortStream(socket);
    connection.authz = authz;
    return serveForward(connection, socket, clusterName, undefined, parts);
  }
  connection.outcome = 'deliver';
  connection.due(Number.POSITIVE_INFINITY, '');
  parts.options.deliver({
    ...{ socket, id, listener, clusterName, protocol, sni: '', alpn: '', end: end.end, inTheClear: port, source, destination },
    ...(denied === undefined ? {} : { denied }),
  });
}

function nameOf({ end, port }: ExposedRule): string {
  return `${end.end.namespace}/${end.end.service} port ${port}`;
}

function taken({ mode }: ExposedRule): string {
  return mode === 'strict' ? 'mTLS alone (PeerAuthentication STRICT)' : 'mTLS and plaintext (PeerAuthentication PERMISSIVE)';
}
