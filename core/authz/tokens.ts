/** How tokens (RFC 7519) of one issuer are found and verified, as Istio's RequestAuthentication has it. */
export interface TokenRule {
  readonly issuer: string;
  /** One of a token's must be one of these; empty: any. */
  readonly audiences: readonly string[];
  /** RFC 7517, JSON. Empty: no key is known, and no token of the issuer holds. */
  readonly jwks: string;
  /** With `fromParams` and `fromCookies` empty: `authorization` after `Bearer `, and the parameter `access_token`. */
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  /** The application gets the token as well. */
  readonly forwardOriginal: boolean;
  /** Gets the payload, base64url; empty: none does. */
  readonly outputPayloadHeader: string;
  readonly outputClaims: readonly { readonly header: string; readonly claim: string }[];
  /** Texts of several words that policies see as lists; beside `scope` and `permission`. */
  readonly spaceDelimitedClaims: readonly string[];
}
