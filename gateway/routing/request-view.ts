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

  /** All values of one name, joined by commas; pseudo headers too. What a rule says of a header, `someHeader` tells. */
  header(name: string): string | undefined {
    const { headers } = this.facts;
    let joined: string | undefined;
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] === name) joined = joined === undefined ? headers[i + 1] : `${joined},${headers[i + 1]}`;
    }
    return joined ?? this.#outOfLine(name);
  }

  /** Whether one value of that name passes, each line by itself as in Envoy; pseudo headers too. */
  someHeader(name: string, test: (value: string) => boolean): boolean {
    const { headers } = this.facts;
    let found = false;
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] !== name) continue;
      if (test(headers[i + 1] ?? '')) return true;
      found = true;
    }
    const value = found ? undefined : this.#outOfLine(name);
    return value !== undefined && test(value);
  }

  /** The first value of a parameter, as it is written: nothing is decoded, as in Envoy. */
  query(name: string): string | undefined {
    this.#query ??= parseQuery(this.facts.path.slice(this.path.length + 1));
    return this.#query.get(name);
  }

  /** What is known by other words than a header's line. */
  #outOfLine(name: string): string | undefined {
    const { method, path, authority, scheme, upgrade } = this.facts;
    switch (name) {
      case ':method':
        return method;
      case ':path':
        return path;
      case ':authority':
      case 'host':
        return authority;
      case ':scheme':
        return scheme;
      case 'upgrade':
        return upgrade === true ? 'websocket' : undefined;
      case 'connection':
        return upgrade === true ? 'Upgrade' : undefined;
      default:
        return undefined;
    }
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
