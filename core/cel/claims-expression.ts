import { type ASTNode, TypeError as CelTypeError, Environment, EvaluationError, ParseError } from '@marcbachmann/cel-js';
import { accept, type Checked, reject } from '../validate.ts';

/** What a credential says of its holder: JSON. */
export type ClaimsDocument = Readonly<Record<string, unknown>>;

/** Of `${EXPRESSION}`, that and nothing else; undefined: the text is none. */
export function expressionIn(text: string): string | undefined {
  return /^\$\{([\s\S]*)\}$/.exec(text.trim())?.[1];
}

/** CEL over one variable, `claims`. */
export interface ClaimsExpression {
  readonly text: string;
  /** Never throws: a claim that is not there, or is of another type, is a fault. Strings, booleans, numbers, lists and maps of them. */
  evaluate(claims: ClaimsDocument): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly fault: string };
}

export const maxExpressionLength = 2_048;

const environment = new Environment({
  limits: { maxAstNodes: 500, maxDepth: 32, maxListElements: 100, maxMapEntries: 100, maxCallArguments: 8 },
}).registerVariable('claims', 'map');

/** A regular expression over what strangers send may take for ever; two comprehensions, one in the other, take the square of it. */
const refusedCalls: ReadonlyMap<string, string> = new Map([
  ['matches', 'its cost has no bound here; compare with ==, startsWith, endsWith, contains or split'],
]);
const comprehensions: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

/** One violation that says where in the text the mistake is. `wants`: the type that it must have where that can be known. */
export function parseClaimsExpression(text: string, wants?: 'bool'): Checked<ClaimsExpression> {
  const fail = (message: string) => reject<ClaimsExpression>([{ path: '', message }]);
  if (text.trim() === '') return fail('must be an expression');
  if (text.length > maxExpressionLength) return fail(`must be at most ${maxExpressionLength} characters`);
  try {
    const parsed = environment.parse(text);
    const refused = refusedCall(parsed.ast, false);
    if (refused !== undefined) return fail(refused);
    const type = parsed.check();
    if (!type.valid) return fail(`is no CEL over claims: ${firstLine(type.error)}`);
    if (wants !== undefined && type.type !== wants && type.type !== 'dyn') return fail(`must be a ${wants}, and is a ${String(type.type)}`);
    return accept({ text, evaluate: (claims) => evaluated(() => parsed({ claims: asCel(claims) })) });
  } catch (error) {
    if (error instanceof ParseError || error instanceof CelTypeError) return fail(`is no CEL over claims: ${firstLine(error)}`);
    throw error;
  }
}

function evaluated(run: () => unknown): ReturnType<ClaimsExpression['evaluate']> {
  try {
    return { ok: true, value: fromCel(run()) };
  } catch (error) {
    if (error instanceof EvaluationError || error instanceof CelTypeError) return { ok: false, fault: firstLine(error) };
    return { ok: false, fault: 'cannot be evaluated' };
  }
}

/** What follows the first line is a picture of the place. */
function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 200) ?? '';
}

/** Depth first; the first call that is not taken. */
function refusedCall(node: unknown, inside: boolean): string | undefined {
  if (Array.isArray(node)) {
    for (const each of node) {
      const found = refusedCall(each, inside);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (typeof node !== 'object' || node === null || !('op' in node)) return undefined;
  const { op, args } = node as ASTNode;
  const name = op === 'rcall' || op === 'call' ? args[0] : '';
  const why = refusedCalls.get(name);
  if (why !== undefined) return `${name} is not taken: ${why}`;
  const comprehension = op === 'rcall' && comprehensions.has(name);
  if (comprehension && inside) return `${name} inside another comprehension is not taken: its cost is the square of what the claims hold`;
  return refusedCall(args, inside || comprehension);
}

/** Whole numbers of JSON are ints. */
function asCel(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(asCel);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([name, part]) => [name, asCel(part)]));
}

function fromCel(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(fromCel);
  return value;
}
