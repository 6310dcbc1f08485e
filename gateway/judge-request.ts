import {
  type AuthzAttribute,
  auditedBy,
  authorize,
  type ConnectionFacts,
  looksAt,
  normalizePath,
  type RequestFacts,
} from '../core/authz/index.ts';
import { connectionFacts, type DeliveredConnection, factsOf } from './engine/index.ts';
import type { Judged, RequestHead } from './forward/index.ts';
import { authenticationReply, badRequestReply, deniedReply } from './forward/index.ts';
import { TokenAuthenticator } from './jwt/index.ts';
import { RequestView, withoutQuery } from './routing/index.ts';
import type { AuthzState } from './state/index.ts';

/** What one state of rules asks for, found out once. */
interface Needs {
  /** Of more than who calls. */
  readonly facts: boolean;
  readonly path: boolean;
  readonly audit: boolean;
  readonly tokens: TokenAuthenticator | undefined;
}

const needs = new WeakMap<AuthzState, Needs>();
const pathAlone: ReadonlySet<AuthzAttribute> = new Set<AuthzAttribute>(['path']);

function needsOf(authz: AuthzState): Needs {
  let known = needs.get(authz);
  if (known === undefined) {
    const { rules, tokens } = authz;
    known = {
      facts: rules.some((rule) => rule.when !== undefined),
      path: looksAt(rules, pathAlone),
      audit: rules.some((rule) => rule.action === 'audit'),
      tokens: tokens === undefined || tokens.length === 0 ? undefined : new TokenAuthenticator(tokens),
    };
    needs.set(authz, known);
  }
  return known;
}

const passed: Judged = {};
const connections = new WeakMap<DeliveredConnection, ConnectionFacts>();

/**
 * What an mTLS end says to one request, by the rules of its moment: the token first, then who calls for what, as Envoy's filters. A
 * service whose rules look at callers alone costs what it did without. `headers`: with what this hop says; `nowMs`: Unix.
 */
export function judgeRequest(
  authz: AuthzState,
  connection: DeliveredConnection,
  request: RequestHead,
  headers: readonly string[],
  nowMs: number,
): Judged {
  const { peer, inTheClear } = connection;
  if (peer === undefined && inTheClear === undefined) return passed;
  const { facts, path: byPath, audit, tokens } = needsOf(authz);
  if (!facts && !audit && tokens === undefined)
    return decide(authz, peer ?? factsOf(undefined, connectionFacts(connection), undefined), passed);
  const path = byPath ? normalizePath(request.path) : request.path;
  if (path === undefined) return { refused: badRequestReply(400, 'path_normalization_failed') };
  const asked = { path, headers };
  const authentic =
    tokens === undefined || isPreflight(request) ? { ok: true as const, carrier: asked } : tokens.authenticate(asked, nowMs);
  if (!authentic.ok) return { path, refused: authenticationReply(authentic.status, authentic.text, { ...request, path }) };
  const { carrier } = authentic;
  let at = connections.get(connection);
  if (at === undefined) {
    at = connectionFacts(connection);
    connections.set(connection, at);
  }
  const claims = 'claims' in authentic ? authentic.claims : undefined;
  const all = factsOf(peer, at, requestFacts({ ...request, ...carrier }, claims));
  const marks = audit ? auditedBy(authz.rules, all) : [];
  return decide(authz, all, { ...carrier, ...(marks.length === 0 ? {} : { audited: marks }) });
}

function decide(authz: AuthzState, facts: Parameters<typeof authorize>[1], judged: Judged): Judged {
  const { allowed, rule } = authorize(authz.rules, facts);
  if (!allowed) return { ...judged, ruled: rule, refused: deniedReply(`rbac_access_denied_matched_policy[${rule?.name ?? 'none'}]`) };
  return judged === passed ? allowedBy(rule) : { ...judged, ruled: rule };
}

const letIn = new WeakMap<object, Judged>();

/** One for each rule, whatever the number of requests. */
function allowedBy(rule: Judged['ruled']): Judged {
  if (rule === undefined) return passed;
  let known = letIn.get(rule);
  if (known === undefined) {
    known = { ruled: rule };
    letIn.set(rule, known);
  }
  return known;
}

function requestFacts(head: RequestHead, claims: RequestFacts['claims']): RequestFacts {
  const view = new RequestView(head);
  return {
    method: head.method,
    path: withoutQuery(head.path),
    authority: head.authority,
    header: (name) => view.header(name),
    ...(claims === undefined ? {} : { claims }),
  };
}

/** Browsers send no token with it (CORS, "CORS-preflight request"). */
function isPreflight({ method, headers }: RequestHead): boolean {
  if (method !== 'OPTIONS') return false;
  const has = (name: string) => headers.some((each, i) => i % 2 === 0 && each === name && headers[i + 1] !== '');
  return has('origin') && has('access-control-request-method');
}
