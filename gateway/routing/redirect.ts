import type { PathMatch, RedirectAction } from '../../core/traffic/index.ts';
import { portAt, type RequestFacts } from './request-view.ts';
import type { PathChange } from './rewrite-path.ts';

const ownPorts: Readonly<Record<string, string>> = { http: ':80', https: ':443' };

/** The location, by Envoy's rules (RedirectAction): the query is kept, and a port that was the old scheme's own does not follow a change of scheme. Pure. */
export function locationOf(
  action: RedirectAction,
  request: RequestFacts,
  matched: PathMatch | undefined,
  change: PathChange | undefined,
): string {
  const scheme = action.scheme ?? request.scheme;
  const port = action.port === undefined ? '' : `:${action.port}`;
  const authority = action.authority ?? keptAuthority(request, scheme, port !== '');
  return `${scheme}://${authority}${port}${pathOf(action, request, matched, change)}`;
}

function pathOf({ path }: RedirectAction, request: RequestFacts, matched: PathMatch | undefined, change: PathChange | undefined): string {
  // It has a query of its own, which the request's does not follow.
  if (path?.type === 'full' && path.value.includes('?')) return path.value;
  return change === undefined ? request.path : change(request.path, matched);
}

function keptAuthority({ authority, scheme: before }: RequestFacts, scheme: string, replaced: boolean): string {
  const colon = portAt(authority);
  if (colon < 0) return authority;
  const own = scheme !== before && authority.slice(colon) === ownPorts[before];
  return replaced || own ? authority.slice(0, colon) : authority;
}
