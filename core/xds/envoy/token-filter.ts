import type { TokenRule } from '../../authz/index.ts';
import { DataSource } from '../gen/envoy/config/core/v3/base.ts';
import { RouteMatch } from '../gen/envoy/config/route/v3/route_components.ts';
import {
  JwtAuthentication,
  JwtProvider,
  JwtRequirement,
  RequirementRule,
} from '../gen/envoy/extensions/filters/http/jwt_authn/v3/config.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { packed } from './any.ts';
import { tokenFilterName, tokenPayloadKey } from './test-predicate.ts';

/**
 * Verifies tokens before anybody is asked who may call: a request without any goes on, one with a token that does not hold is answered;
 * of several issuers one that vouches is enough.
 */
export function tokenFilter(rules: readonly TokenRule[]): { name: string; config: Any } {
  const names = rules.map((_, i) => `issuer-${i}`);
  const each = names.map((providerName) => require({ $case: 'providerName', value: providerName }));
  const orNone = each.map((provider) => anyOf([provider, require({ $case: 'allowMissing', value: {} })]));
  const [only = require(undefined), second] = orNone;
  const all = require({ $case: 'requiresAll', value: { requirements: orNone } });
  const requires = second === undefined ? only : anyOf([...each, all]);
  const config = JwtAuthentication.create({
    providers: Object.fromEntries(rules.map((rule, i) => [`issuer-${i}`, provider(rule)])),
    rules: [
      RequirementRule.create({
        match: RouteMatch.create({ pathSpecifier: { $case: 'prefix', value: '' } }),
        requirementType: { $case: 'requires', value: requires },
      }),
    ],
    bypassCorsPreflight: true,
  });
  return {
    name: tokenFilterName,
    config: packed('envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication', JwtAuthentication, config),
  };
}

function require(requiresType: JwtRequirement['requiresType']): JwtRequirement {
  return JwtRequirement.create({ requiresType });
}

function anyOf(requirements: JwtRequirement[]): JwtRequirement {
  return require({ $case: 'requiresAny', value: { requirements } });
}

function provider(rule: TokenRule): JwtProvider {
  const keys = rule.jwks === '' ? '{"keys":[]}' : rule.jwks;
  return JwtProvider.create({
    issuer: rule.issuer,
    audiences: [...rule.audiences],
    jwksSourceSpecifier: { $case: 'localJwks', value: DataSource.create({ specifier: { $case: 'inlineString', value: keys } }) },
    forward: rule.forwardOriginal,
    fromHeaders: rule.fromHeaders.map(({ name, prefix }) => ({ name, valuePrefix: prefix })),
    fromParams: [...rule.fromParams],
    fromCookies: [...rule.fromCookies],
    forwardPayloadHeader: rule.outputPayloadHeader,
    payloadInMetadata: tokenPayloadKey,
    normalizePayloadInMetadata: { spaceDelimitedClaims: ['scope', 'permission', ...rule.spaceDelimitedClaims] },
    claimToHeaders: rule.outputClaims.map(({ header, claim }) => ({ headerName: header, claimName: claim })),
  });
}
