import type { PlainRule } from '../contract.ts';
import { isHttp } from '../is-http.ts';
import { sourceAllowed } from '../source-allowed.ts';
import { abortStream } from './abort-stream.ts';
import { chooseCluster } from './choose-cluster.ts';
import type { Connection } from './connection.ts';
import type { EngineParts } from './engine-parts.ts';
import { serveForward } from './serve-forward.ts';

/** A connection in the clear: by its listener's rule, if its source is allowed. Nothing is read before the protocol is known, so servers may speak first. */
export async function servePlain(connection: Connection, parts: EngineParts): Promise<void> {
  const { deliver } = parts.options;
  const rule = ruleOf(connection, parts);
  if (rule === undefined) return abortStream(connection.socket);
  if (!isHttp(rule.protocol)) {
    const chosen = await chooseCluster(connection, rule, parts);
    if (chosen === undefined) return abortStream(connection.socket);
    // By what holds now: the rule may have changed while it was waited for a hello.
    if (chosen.preface !== undefined && ruleOf(connection, parts) === undefined) return abortStream(connection.socket);
    return serveForward(connection, connection.socket, chosen.clusterName, chosen.preface, parts);
  }
  connection.outcome = 'deliver';
  connection.clusterName = rule.clusterName;
  deliver({
    socket: connection.socket,
    id: connection.id,
    listener: connection.listener,
    clusterName: rule.clusterName,
    ...(rule.routingName === undefined ? {} : { routingName: rule.routingName }),
    protocol: rule.protocol,
    sni: '',
    alpn: '',
    source: connection.source,
    destination: connection.destination,
  });
}

/** Of the moment. Undefined: there is none, or not for that source, and the connection says why. */
function ruleOf(connection: Connection, parts: EngineParts): PlainRule | undefined {
  const rule = parts.tables().plain.get(connection.listener);
  if (rule === undefined) {
    connection.fault('no-route', `listener ${connection.listener} leads nowhere yet`, 'NR');
    return undefined;
  }
  if (sourceAllowed(rule.allow, connection.source.address)) return rule;
  connection.fault('source-denied', `${connection.source.address} is in none of the CIDRs allowed on ${connection.listener}`);
  return undefined;
}
