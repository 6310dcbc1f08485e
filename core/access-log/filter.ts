import { accept, type Checked, reject } from '../validate.ts';
import { didYouMean } from '../yaml/did-you-mean.ts';
import { type LogAttribute, type LogFacts, logAttributes } from './attributes.ts';

/**
 * A filter of access logs: the part of CEL (cel-spec) that both kinds of proxies understand alike. Comparisons of one attribute with a
 * literal, `.startsWith()`, `.endsWith()` and `.contains()` of a text, `has()`, joined by `&&`, `||`, `!` and brackets.
 */
export interface LogFilter {
  /** False also where it asks for what is not there, as in Envoy. */
  matches(facts: LogFacts): boolean;
}

const mostCharacters = 1_000;
const mostNesting = 16;

/** The filter that this text says, or what is wrong with it. */
export function parseLogFilter(text: string): Checked<LogFilter> {
  try {
    if (text.length > mostCharacters) throw new Fault(`is longer than ${mostCharacters} characters`);
    const parser = new Parser(tokens(text));
    const evaluate = parser.whole();
    return accept({ matches: (facts) => evaluate(facts) === true });
  } catch (error) {
    if (error instanceof Fault) return reject([{ path: '', message: error.message }]);
    throw error;
  }
}

class Fault extends Error {}

/** Undefined is CEL's error: of what is not there nothing is true, nor false. */
type Evaluate = (facts: LogFacts) => boolean | undefined;

interface Token {
  readonly kind: 'name' | 'text' | 'number' | 'sign' | 'end';
  readonly value: string;
}

const form =
  /\s*(?:(?<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)|(?<number>-?[0-9]+)|'(?<single>[^'\\]*)'|"(?<double>[^"\\]*)"|(?<sign>&&|\|\||[=!<>]=|[<>!().]))/y;

function tokens(text: string): readonly Token[] {
  const found: Token[] = [];
  form.lastIndex = 0;
  while (text.slice(form.lastIndex).trim() !== '') {
    const from = form.lastIndex;
    const groups = form.exec(text)?.groups;
    if (groups === undefined) throw new Fault(`cannot be read from ${JSON.stringify(text.slice(from).trim().slice(0, 20))} on`);
    const { name, number, single, double, sign } = groups;
    if (name !== undefined) found.push({ kind: 'name', value: name });
    else if (number !== undefined) found.push({ kind: 'number', value: number });
    else if (sign !== undefined) found.push({ kind: 'sign', value: sign });
    else found.push({ kind: 'text', value: single ?? double ?? '' });
  }
  return [...found, { kind: 'end', value: 'the end' }];
}

const comparisons: ReadonlyMap<string, (a: never, b: never) => boolean> = new Map<string, (a: never, b: never) => boolean>([
  ['==', (a, b) => a === b],
  ['!=', (a, b) => a !== b],
  ['<', (a, b) => a < b],
  ['<=', (a, b) => a <= b],
  ['>', (a, b) => a > b],
  ['>=', (a, b) => a >= b],
]);

const methods: ReadonlyMap<string, (value: string, part: string) => boolean> = new Map([
  ['startsWith', (value, part) => value.startsWith(part)],
  ['endsWith', (value, part) => value.endsWith(part)],
  ['contains', (value, part) => value.includes(part)],
]);

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }

  whole(): Evaluate {
    const evaluate = this.#or();
    if (this.#now.kind !== 'end') throw new Fault(`does not end at ${this.#now.value}: join conditions with && or ||`);
    return evaluate;
  }

  get #now(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', value: 'the end' };
  }

  #take(): Token {
    const now = this.#now;
    this.#at += 1;
    return now;
  }

  #sign(value: string): boolean {
    if (this.#now.kind !== 'sign' || this.#now.value !== value) return false;
    this.#at += 1;
    return true;
  }

  #expect(value: string): void {
    if (!this.#sign(value)) throw new Fault(`needs ${value} instead of ${this.#now.value}`);
  }

  /** One side that is true decides, whatever is not known of the other. */
  #or(): Evaluate {
    const all = [this.#and()];
    while (this.#sign('||')) all.push(this.#and());
    return joined(all, true);
  }

  #and(): Evaluate {
    const all = [this.#not()];
    while (this.#sign('&&')) all.push(this.#not());
    return joined(all, false);
  }

  #not(): Evaluate {
    if (++this.#depth > mostNesting) throw new Fault(`is nested deeper than ${mostNesting} times`);
    const made = this.#sign('!') ? negated(this.#not()) : this.#primary();
    this.#depth -= 1;
    return made;
  }

  #primary(): Evaluate {
    if (this.#sign('(')) {
      const inner = this.#or();
      this.#expect(')');
      return inner;
    }
    const token = this.#take();
    if (token.kind !== 'name') throw new Fault(`needs an attribute such as response.code instead of ${token.value}`);
    if (token.value === 'true' || token.value === 'false') return () => token.value === 'true';
    if (token.value === 'has') return this.#has();
    const dot = token.value.lastIndexOf('.');
    const method = this.#now.value === '(' ? token.value.slice(dot + 1) : undefined;
    const name = method === undefined ? token.value : token.value.slice(0, dot);
    const type = typeOf(name);
    if (method !== undefined) return this.#method(name, type, method);
    if (this.#now.kind === 'sign' && comparisons.has(this.#now.value)) return this.#comparison(name, type);
    if (type !== 'boolean')
      throw new Fault(`${name} is no condition: compare it, as in ${name} ${type === 'number' ? '>= 400' : "== 'x'"}`);
    return (facts) => facts[name] as boolean | undefined;
  }

  #has(): Evaluate {
    this.#expect('(');
    const { kind, value } = this.#take();
    if (kind !== 'name') throw new Fault('has() takes an attribute');
    typeOf(value);
    this.#expect(')');
    return (facts) => facts[value] !== undefined;
  }

  #method(name: string, type: LogAttribute, method: string): Evaluate {
    const test = methods.get(method);
    if (test === undefined) throw new Fault(`${method}() is not supported: use ${[...methods.keys()].join(', ')}`);
    if (type !== 'string') throw new Fault(`${name} is no text, which ${method}() is for`);
    this.#expect('(');
    const { kind, value: part } = this.#take();
    if (kind !== 'text') throw new Fault(`${method}() takes a text in quotes`);
    this.#expect(')');
    return (facts) => (facts[name] === undefined ? undefined : test(String(facts[name]), part));
  }

  #comparison(name: string, type: LogAttribute): Evaluate {
    const sign = this.#take().value;
    const { kind, value } = this.#take();
    const is = kind === 'text' ? 'string' : kind === 'number' ? 'number' : value === 'true' || value === 'false' ? 'boolean' : undefined;
    if (is === undefined) throw new Fault(`${name} must be compared with a literal, not with ${value}`);
    if (is !== type) throw new Fault(`${name} is a ${words[type]}, and cannot be compared with the ${words[is]} ${value}`);
    if (type !== 'number' && sign !== '==' && sign !== '!=') throw new Fault(`${sign} is for numbers: ${name} can be == or !=`);
    const literal = type === 'number' ? Number(value) : type === 'boolean' ? value === 'true' : value;
    const compare = comparisons.get(sign);
    return (facts) => (facts[name] === undefined ? undefined : compare?.(facts[name] as never, literal as never));
  }
}

const words = { string: 'text', number: 'number', boolean: 'condition' } as const;

function typeOf(name: string): LogAttribute {
  const type = logAttributes.get(name);
  if (type !== undefined) return type;
  const known = [...logAttributes.keys()];
  throw new Fault(`asks for ${name}, which is none of ${known.join(', ')}${didYouMean(name, known)}`);
}

function joined(all: readonly Evaluate[], decides: boolean): Evaluate {
  const [only] = all;
  if (all.length === 1 && only !== undefined) return only;
  return (facts) => {
    const values = all.map((each) => each(facts));
    return values.includes(decides) ? decides : values.includes(undefined) ? undefined : !decides;
  };
}

function negated(inner: Evaluate): Evaluate {
  return (facts) => {
    const value = inner(facts);
    return value === undefined ? undefined : !value;
  };
}
