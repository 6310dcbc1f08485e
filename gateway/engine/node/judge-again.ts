import type { EngineTables } from '../contract.ts';
import { connectionFacts, denialOf, factsOf } from '../evaluate-authz.ts';
import { findSniRule } from '../find-sni-rule.ts';
import type { Connection } from './connection.ts';
import { plaintextRefused } from './serve-exposed.ts';

/**
 * A byte stream whose peer may not call any more is cut. Rules that are not known any more cut nothing: what stands goes on until somebody
 * says otherwise.
 */
export function judgeAgain(connection: Connection, tables: EngineTables): void {
  const { authz, peer } = connection;
  if (authz === undefined) return;
  if (connection.inTheClear !== undefined) judgeInTheClear(connection, tables);
  if (peer === undefined) return;
  const { sni } = tables;
  const rule = findSniRule(sni, connection.sni);
  if (rule?.mode !== 'terminate' || rule.authz === authz || rule.authz.unknown === true) return;
  connection.authz = rule.authz;
  const denied = denialOf(rule.authz, factsOf(peer, connectionFacts(connection), 'none'));
  if (denied !== undefined) connection.breakOff('rbac-denied', `${peer.principal}: ${denied}`);
}

function judgeInTheClear(connection: Connection, { exposed }: EngineTables): void {
  const now = exposed?.get(connection.listener);
  if (now === undefined || now.end.authz.unknown === true) return;
  const { authz } = now.end;
  if (now.mode === 'strict') {
    connection.breakOff(plaintextRefused, 'the service has begun to take mTLS alone (PeerAuthentication STRICT)');
    return;
  }
  if (authz === connection.authz) return;
  connection.authz = authz;
  const denied = denialOf(authz, factsOf(undefined, connectionFacts(connection), 'none'));
  if (denied !== undefined) connection.breakOff('rbac-denied', `plaintext from ${connection.source.address}: ${denied}`);
}
