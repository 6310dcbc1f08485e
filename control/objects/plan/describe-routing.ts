import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type {
  ClusterRef,
  Fault,
  HttpRule,
  L4Rule,
  RedirectAction,
  RetryPolicy,
  RouteAction,
  Routing,
  WeightedDestination,
} from '../../../core/traffic/index.ts';
import { l4MatchText, matchText, token } from './describe-match.ts';

/**
 * Pure: what a routing says, rule by rule, one line each, so that two of them can be compared line by line. Two that do anything
 * differently differ in their lines: all that acts is in them, which the names of hosts, rules and matches do not.
 */
export function describeRouting(routing: Routing | undefined): string[] {
  if (routing === undefined) return [];
  const http = routing.virtualHosts.flatMap((host) => [
    `host ${host.domains.map(token).join(' ')}`,
    ...host.rules.map((rule) => `  ${httpLine(rule)}`),
  ]);
  return [...http, ...routing.l4.map(l4Line)];
}

function httpLine(rule: HttpRule<ClusterRef>): string {
  const matches = rule.matches.length === 0 ? 'every request' : rule.matches.map(matchText).join(' or ');
  const parts = [`${matches} -> ${actionText(rule)}`];
  const { fault, cors, requestHeaders, responseHeaders } = rule;
  if (fault?.delay !== undefined) parts.push(`delays ${fault.delay.percent} % by ${fault.delay.ms} ms`);
  if (fault?.abort !== undefined) parts.push(abortText(fault.abort));
  if (requestHeaders !== undefined) parts.push(`request headers ${JSON.stringify(requestHeaders)}`);
  if (responseHeaders !== undefined) parts.push(`response headers ${JSON.stringify(responseHeaders)}`);
  if (cors !== undefined) parts.push(`CORS ${JSON.stringify(cors)}`);
  return parts.join('; ');
}

function abortText({ percent, status, grpcStatus }: NonNullable<Fault['abort']>): string {
  return `answers ${percent} % ${status}${grpcStatus === undefined ? '' : `, gRPC status ${grpcStatus}`}`;
}

function actionText({ action }: HttpRule<ClusterRef>): string {
  switch (action.type) {
    case 'direct':
      return `answer ${action.status}${action.body === undefined ? '' : ` with ${bodyText(action.body)}`}`;
    case 'redirect':
      return redirectText(action);
    case 'route':
      return routeText(action);
  }
}

/** A long one by its beginning, and a digest to tell it from another. */
function bodyText(body: Uint8Array): string {
  const bytes = Buffer.from(body);
  if (isUtf8(bytes) && bytes.length <= 200) return JSON.stringify(bytes.toString());
  const beginning = isUtf8(bytes) ? ` that begin ${JSON.stringify([...bytes.toString().slice(0, 100)].slice(0, 40).join(''))}` : '';
  return `${bytes.length} bytes${beginning}, SHA-256 ${createHash('sha256').update(bytes).digest('hex')}`;
}

function redirectText({ status, scheme, authority, port, path }: RedirectAction): string {
  const parts = [`redirect ${status}`];
  if (scheme !== undefined) parts.push(`scheme ${token(scheme)}`);
  if (authority !== undefined) parts.push(`authority ${token(authority)}`);
  if (port !== undefined) parts.push(`port ${port}`);
  if (path !== undefined) parts.push(`${path.type} path ${token(path.value)}`);
  return parts.join(' ');
}

function routeText(action: RouteAction<ClusterRef>): string {
  const parts = [shares(action.destinations)];
  if (action.byHash === true) parts.push(byHashText);
  if (action.rewrite !== undefined) parts.push(`rewrite ${JSON.stringify(action.rewrite)}`);
  if (action.timeoutMs !== undefined && action.timeoutMs > 0) parts.push(`timeout ${action.timeoutMs} ms`);
  if (action.retries !== undefined) parts.push(retryText(action.retries));
  for (const { destination, percent } of action.mirrors) parts.push(`mirrors ${percent} % to ${clusterText(destination)}`);
  return parts.join('; ');
}

const byHashText = 'sessions keep to their side';

function retryText(retries: RetryPolicy): string {
  const { attempts, on, statusCodes, perTryTimeoutMs = 0, backoffMs = 25, otherLocalities = false, ignorePreviousHosts = true } = retries;
  const each = perTryTimeoutMs === 0 ? [] : [`${perTryTimeoutMs} ms each`];
  if (attempts === 0) return ['no retries', ...each].join(', ');
  const parts = [`${attempts} retries on ${on.length === 0 ? 'nothing' : on.join(',')}`];
  if (statusCodes.length > 0) parts.push(`status ${statusCodes.join(',')}`);
  parts.push(...each);
  if (backoffMs !== 25) parts.push(`after ${backoffMs} ms`);
  if (otherLocalities) parts.push('in other localities');
  if (!ignorePreviousHosts) parts.push('of the same endpoints too');
  return parts.join(', ');
}

function shares(destinations: readonly WeightedDestination<ClusterRef>[]): string {
  const [only] = destinations;
  if (destinations.length === 1 && only !== undefined) return clusterText(only.destination) + headersText(only);
  const sum = destinations.reduce((total, d) => total + d.weight, 0);
  return destinations.map((d) => `${shareText(d.weight, sum)} ${clusterText(d.destination)}${headersText(d)}`).join(' + ');
}

/** What two digits do not say is said by the weights. */
function shareText(weight: number, sum: number): string {
  const rounded = sum === 0 ? 0 : Math.round((weight / sum) * 10_000) / 100;
  return (weight * 10_000) % sum === 0 || sum === 0 ? `${rounded} %` : `${rounded} % (${weight}/${sum})`;
}

function clusterText({ cluster, missing }: ClusterRef): string {
  return cluster === '' ? `nowhere (${missing ?? 503})` : token(cluster);
}

function headersText({ requestHeaders, responseHeaders }: WeightedDestination<ClusterRef>): string {
  if (requestHeaders === undefined && responseHeaders === undefined) return '';
  return ` with headers ${JSON.stringify({ requestHeaders, responseHeaders })}`;
}

function l4Line(rule: L4Rule<ClusterRef>): string {
  const matches = rule.matches.length === 0 ? 'every connection' : rule.matches.map(l4MatchText).join(' or ');
  return `${matches} -> ${shares(rule.destinations)}${rule.byHash === true ? `; ${byHashText}` : ''}`;
}
