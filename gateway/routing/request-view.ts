/** What rules may look at. Header names in lower case: name, value, name, value. */
export interface RequestFacts {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly headers: readonly string[];
  /** It asks for a WebSocket, which is said by headers of this hop alone. */
  readonly upgrade?: boolean;
}

/** A request as matchers see it; what few of them ask for is made when the first does. */
export class RequestView {
  readonly facts: RequestFacts;
  /** Without query. */
  readonly path: string;
  #host: string | undefined;
  #query: ReadonlyMap<string, string> | undefined;

  constructor(facts: RequestFacts) {
    this.facts = facts;
    this.path = withoutQuery(facts.path);
  }

  /** Lower case, without port. */
  get host(): string {
    this.#host ??= hostOf(this.facts.authority);
    return this.#host;
  }

  /** All values of one name, joined by commas as Envoy does; pseudo headers too. */
  header(name: string): string | undefined {
    if (name.startsWith(':')) return this.#pseudo(name);
    if (name === 'host') return this.facts.authority;
    const { headers, upgrade } = this.facts;
    if (upgrade === true && (name === 'upgrade' || name === 'connection')) return name === 'upgrade' ? 'websocket' : 'Upgrade';
    let joined: string | undefined;
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] === name) joined = joined === undefined ? headers[i + 1] : `${joined},${headers[i + 1]}`;
    }
    return joined;
  }

  /** The first value of a parameter, as it is written: nothing is decoded, as in Envoy. */
  query(name: string): string | undefined {
    this.#query ??= parseQuery(this.facts.path.slice(this.path.length + 1));
    return this.#query.get(name);
  }

  #pseudo(name: string): string | undefined {
    const { method, path, authority, scheme } = this.facts;
    if (name === ':method') return method;
    if (name === ':path') return path;
    if (name === ':authority') return authority;
    return name === ':scheme' ? scheme : undefined;
  }
}

export function withoutQuery(path: string): string {
  const at = path.indexOf('?');
  return at < 0 ? path : path.slice(0, at);
}

/** Lower case, without port. An IPv6 address keeps its brackets. */
function hostOf(authority: string): string {
  const colon = portAt(authority);
  return (colon < 0 ? authority : authority.slice(0, colon)).toLowerCase();
}

/** Where the colon before the port is; -1: there is none. */
export function portAt(authority: string): number {
  if (!authority.startsWith('[')) return authority.lastIndexOf(':');
  const bracket = authority.lastIndexOf(']:');
  return bracket < 0 ? -1 : bracket + 1;
}

function parseQuery(text: string): ReadonlyMap<string, string> {
  const first = new Map<string, string>();
  if (text === '') return first;
  for (const part of text.split('&')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    if (!first.has(name)) first.set(name, equals < 0 ? '' : part.slice(equals + 1));
  }
  return first;
}
