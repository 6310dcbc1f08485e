import type { EngineTables } from '../contract.ts';
import { connectionFacts, denialOf, factsOf } from '../evaluate-authz.ts';
import { findSniRule } from '../find-sni-rule.ts';
import type { Connection } from './connection.ts';

/**
 * A byte stream whose peer may not call any more is cut. Rules that are not known any more cut nothing: what stands goes on until somebody
 * says otherwise.
 */
export function judgeAgain(connection: Connection, { sni }: EngineTables): void {
  const { authz, peer } = connection;
  if (authz === undefined || peer === undefined) return;
  const rule = findSniRule(sni, connection.sni);
  if (rule?.mode !== 'terminate' || rule.authz === authz || rule.authz.unknown === true) return;
  connection.authz = rule.authz;
  const denied = denialOf(rule.authz, factsOf(peer, connectionFacts(connection), 'none'));
  if (denied !== undefined) connection.breakOff('rbac-denied', `${peer.principal}: ${denied}`);
}
