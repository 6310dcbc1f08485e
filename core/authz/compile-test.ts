import { BlockList, isIP, isIPv4 } from 'node:net';
import type { AuthzFacts, AuthzTest, Caller, ConnectionFacts, RequestFacts } from './contract.ts';
import { isLike, isPathTemplate, matchesPattern, pathTemplateRegex, requestPrincipalPattern } from './pattern.ts';
import type { Truth } from './truth.ts';

/** A test, ready to be asked: what its patterns cost is paid once. Pure. */
export function compileTest(test: AuthzTest): (facts: AuthzFacts) => Truth {
  const { attribute, names, patterns } = test;
  const isOne = (value: string) => patterns.some((pattern) => matchesPattern(pattern, value));
  switch (attribute) {
    case 'principal':
      return ({ principal }) => isOne(principal);
    case 'namespace':
      return ({ namespace }) => isOne(namespace);
    case 'cluster':
      return ({ cluster }) => isOne(cluster);
    case 'trust-domain':
      return (caller) => isOne(trustDomainOf(caller));
    case 'service-account':
      return (caller) => patterns.includes(serviceAccountOf(caller));
    case 'source-ip':
      return ofConnection(inBlocks(patterns, (c) => c.sourceAddress));
    case 'destination-ip':
      return ofConnection(inBlocks(patterns, (c) => c.destinationAddress));
    case 'port':
      return ofConnection(({ port }) => patterns.includes(String(port)));
    case 'sni':
      return ofConnection(({ sni }) => isOne(sni));
    case 'method':
      return ofRequest(({ method }) => patterns.some((pattern) => isLike(pattern, method)));
    case 'host':
      return ofRequest(hostTest(patterns));
    case 'path':
      return ofRequest(pathTest(patterns));
    case 'header':
      return ofRequest(headerTest(names[0] ?? '', patterns));
    case 'request-principal':
      return ofRequest(requestPrincipalTest(patterns));
    case 'claim':
      return ofRequest(claimTest(names, patterns));
  }
}

function ofConnection(test: (connection: ConnectionFacts) => boolean): (facts: AuthzFacts) => Truth {
  return ({ connection }) => (connection === undefined ? undefined : test(connection));
}

/** Of a byte stream nobody can tell. */
function ofRequest(test: (request: RequestFacts) => boolean): (facts: AuthzFacts) => Truth {
  return ({ request }) => (request === undefined || request === 'none' ? undefined : test(request));
}

function trustDomainOf({ principal }: Caller): string {
  return principal.slice(0, Math.max(0, principal.indexOf('/')));
}

/** NAMESPACE/SERVICE_ACCOUNT of TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT; of another domain it is none of ours. */
function serviceAccountOf({ principal, foreign }: Caller): string {
  if (foreign === true) return '';
  const [, ns, namespace, sa, account] = principal.split('/');
  return ns === 'ns' && sa === 'sa' ? `${namespace}/${account}` : '';
}

function inBlocks(cidrs: readonly string[], addressOf: (c: ConnectionFacts) => string): (c: ConnectionFacts) => boolean {
  const blocks = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits = ''] = cidr.split('/');
    blocks.addSubnet(address, Number(bits), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return (connection) => {
    // An IPv4 caller of a socket that takes both families.
    const address = addressOf(connection).replace(/^::ffff:(?=\d+\.)/i, '');
    const family = isIP(address);
    return family !== 0 && blocks.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}

function hostTest(patterns: readonly string[]): (request: RequestFacts) => boolean {
  const lower = patterns.map((pattern) => pattern.toLowerCase());
  return ({ authority }) => {
    const host = authority.toLowerCase();
    return lower.some((pattern) => isLike(pattern, host));
  };
}

function pathTest(patterns: readonly string[]): (request: RequestFacts) => boolean {
  const plain = patterns.filter((pattern) => !isPathTemplate(pattern));
  const templates = patterns.filter(isPathTemplate).map((pattern) => new RegExp(`^(?:${pathTemplateRegex(pattern)})$`));
  return ({ path }) => plain.some((pattern) => isLike(pattern, path)) || templates.some((template) => template.test(path));
}

function headerTest(name: string, patterns: readonly string[]): (request: RequestFacts) => boolean {
  return (request) => {
    const value = request.header(name);
    return value !== undefined && patterns.some((pattern) => isLike(pattern, value));
  };
}

function requestPrincipalTest(patterns: readonly string[]): (request: RequestFacts) => boolean {
  const pairs = patterns.map(requestPrincipalPattern);
  return ({ claims }) => {
    const { iss, sub } = claims ?? {};
    if (typeof iss !== 'string' || typeof sub !== 'string') return false;
    return pairs.some(({ issuer, subject }) => isClaimLike(issuer, iss) && isClaimLike(subject, sub));
  };
}

function isClaimLike(pattern: string, value: string): boolean {
  return pattern === '*' ? value !== '' : isLike(pattern, value);
}

function claimTest(names: readonly string[], patterns: readonly string[]): (request: RequestFacts) => boolean {
  return ({ claims }) => {
    let value: unknown = claims;
    for (const name of names) {
      if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return false;
      value = (value as Readonly<Record<string, unknown>>)[name];
    }
    const texts = Array.isArray(value) ? value : [value];
    return texts.some((text) => typeof text === 'string' && patterns.some((pattern) => isClaimLike(pattern, text)));
  };
}
