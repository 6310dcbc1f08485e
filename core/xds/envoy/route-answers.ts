import type { PathMatch, RedirectAction } from '../../traffic/index.ts';
import {
  RedirectAction_RedirectResponseCode as Code,
  DirectResponseAction,
  RedirectAction as EnvoyRedirect,
  type Route,
} from '../gen/envoy/config/route/v3/route_components.ts';
import { redirectPath } from './rewrite-path.ts';

const codes = {
  301: Code.MOVED_PERMANENTLY,
  302: Code.FOUND,
  303: Code.SEE_OTHER,
  307: Code.TEMPORARY_REDIRECT,
  308: Code.PERMANENT_REDIRECT,
} as const;

export function redirect(action: RedirectAction, matched: PathMatch | undefined): Route['action'] {
  const { scheme, authority = '', port = 0, path, status } = action;
  const value = EnvoyRedirect.create({
    schemeRewriteSpecifier: scheme === undefined ? undefined : { $case: 'schemeRedirect', value: scheme },
    hostRedirect: authority,
    portRedirect: port,
    pathRewriteSpecifier: path === undefined ? undefined : redirectPath(path, matched),
    responseCode: codes[status],
  });
  return { $case: 'redirect', value };
}

export function directResponse(status: number, body: Uint8Array | undefined): Route['action'] {
  const inline = { specifier: { $case: 'inlineBytes' as const, value: Buffer.from(body ?? []) }, watchedDirectory: undefined };
  const value = DirectResponseAction.create({ status, body: body === undefined || body.length === 0 ? undefined : inline });
  return { $case: 'directResponse', value };
}
