import type { TokenRule } from '../../core/authz/index.ts';
import { type Carrier, findTokens, placesOf, withoutHeaders, withoutTokens } from './find-tokens.ts';
import { type IssuerKey, keysOf } from './keys.ts';
import { type Claims, faultOf, type TokenResult, type VerifiedToken, verifyToken } from './verify-token.ts';

type Authentication =
  /** `carrier`: the request as it goes on. */
  | { readonly ok: true; readonly claims?: Claims; readonly carrier: Carrier }
  /** 403 for a token that is meant for others, else 401. `text`: in Envoy's words, without anything of the token. */
  | { readonly ok: false; readonly status: 401 | 403; readonly text: string };

type Failure = Extract<TokenResult, { ok: false }>;

/** The rules of one service. Tokens that held are remembered, as few as `mostTokens` of each rule, and looked at again for time alone. */
export class TokenAuthenticator {
  readonly #issuers: readonly Issuer[];

  constructor(rules: readonly TokenRule[]) {
    this.#issuers = rules.map((rule) => new Issuer(rule));
  }

  /**
   * A request without any token goes on without claims; one with a token that does not hold is refused. Of several rules, one whose
   * tokens hold is enough, and gives the claims. `nowMs`: Unix. Never throws.
   */
  authenticate(carrier: Carrier, nowMs: number): Authentication {
    const faults: Failure[] = [];
    for (const issuer of this.#issuers) {
      const result = issuer.verify(carrier, nowMs);
      if (result?.ok === true) return { ok: true, claims: result.token.claims, carrier: this.#passedOn(carrier, issuer, result.token) };
      if (result !== undefined) faults.push(result);
    }
    const worst = faults.find(({ kind }) => kind !== 'unknown-issuer') ?? faults[0];
    if (worst === undefined) return { ok: true, carrier: this.#sanitized(carrier) };
    return { ok: false, status: worst.kind === 'audience' ? 403 : 401, text: worst.text };
  }

  /** Nobody but we says what a token held. */
  #sanitized(carrier: Carrier): Carrier {
    const said = this.#issuers.flatMap(({ rule }) => [rule.outputPayloadHeader, ...rule.outputClaims.map(({ header }) => header)]);
    const names = said.filter((name) => name !== '');
    return names.length === 0 ? carrier : { ...carrier, headers: withoutHeaders(carrier.headers, names) };
  }

  #passedOn(carrier: Carrier, { rule, places }: Issuer, { claims, payload }: VerifiedToken): Carrier {
    const clean = this.#sanitized(carrier);
    const { path, headers } = rule.forwardOriginal ? clean : withoutTokens(clean, places);
    const told = rule.outputClaims.flatMap(({ header, claim }) => {
      const value = headerValue(claimAt(claims, claim));
      return value === undefined ? [] : [header, value];
    });
    const whole = rule.outputPayloadHeader === '' ? [] : [rule.outputPayloadHeader, payload];
    return { path, headers: told.length + whole.length === 0 ? headers : [...headers, ...whole, ...told] };
  }
}

const mostTokens = 1_000;

class Issuer {
  readonly rule: TokenRule;
  readonly places: ReturnType<typeof placesOf>;
  readonly #keys: readonly IssuerKey[];
  /** Oldest first. */
  readonly #held = new Map<string, VerifiedToken>();

  constructor(rule: TokenRule) {
    this.rule = rule;
    this.places = placesOf(rule);
    this.#keys = keysOf(rule.jwks);
  }

  /** Undefined: there is no token. All that are there must hold; the last one counts. */
  verify(carrier: Carrier, nowMs: number): TokenResult | undefined {
    let last: TokenResult | undefined;
    for (const text of findTokens(carrier, this.places)) {
      last = this.#one(text, nowMs);
      if (!last.ok) return last;
    }
    return last;
  }

  #one(text: string, nowMs: number): TokenResult {
    const held = this.#held.get(text);
    if (held !== undefined) {
      const fault = faultOf(held.claims, this.rule, nowMs);
      if (fault === undefined) return { ok: true, token: held };
      this.#held.delete(text);
      return fault;
    }
    const result = verifyToken(text, this.rule, this.#keys, nowMs);
    if (!result.ok) return result;
    if (this.#held.size >= mostTokens) {
      const [oldest] = this.#held.keys();
      if (oldest !== undefined) this.#held.delete(oldest);
    }
    this.#held.set(text, result.token);
    return result;
  }
}

function claimAt(claims: Claims, way: string): unknown {
  let value: unknown = claims;
  for (const name of way.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as Claims)[name];
  }
  return value;
}

/** Texts, numbers and truth values as they are; what has parts as base64 of JSON. What would break a header is not said. */
function headerValue(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === 'object' ? Buffer.from(JSON.stringify(value)).toString('base64') : String(value);
  return /^[\x20-\x7e]*$/.test(text) ? text : undefined;
}
