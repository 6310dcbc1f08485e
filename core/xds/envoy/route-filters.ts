import type { CorsPolicy, Fault } from '../../traffic/index.ts';
import type { RuntimeFractionalPercent } from '../gen/envoy/config/core/v3/base.ts';
import { CorsPolicy as EnvoyCors } from '../gen/envoy/extensions/filters/http/cors/v3/cors.ts';
import { HTTPFault } from '../gen/envoy/extensions/filters/http/fault/v3/fault.ts';
import { type FractionalPercent, FractionalPercent_DenominatorType } from '../gen/envoy/type/v3/percent.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { duration, emptyConfig, packed } from './any.ts';
import { stringMatcher } from './string-match.ts';

const corsName = 'envoy.filters.http.cors';
const faultName = 'envoy.filters.http.fault';

/** Idle until a route has settings for them: they stand in every listener whose routes may come to. */
export const routeFilters: readonly { readonly name: string; readonly config: Any }[] = [
  { name: corsName, config: emptyConfig('envoy.extensions.filters.http.cors.v3.Cors') },
  { name: faultName, config: emptyConfig('envoy.extensions.filters.http.fault.v3.HTTPFault') },
];

export function filterSettings(cors: CorsPolicy | undefined, fault: Fault | undefined): Record<string, Any> {
  const faults = fault === undefined ? undefined : faultOf(fault);
  return {
    ...(cors === undefined ? {} : { [corsName]: packed('envoy.extensions.filters.http.cors.v3.CorsPolicy', EnvoyCors, corsOf(cors)) }),
    ...(faults === undefined ? {} : { [faultName]: packed('envoy.extensions.filters.http.fault.v3.HTTPFault', HTTPFault, faults) }),
  };
}

function corsOf(cors: CorsPolicy): EnvoyCors {
  return EnvoyCors.create({
    allowOriginStringMatch: cors.allowOrigins.map((match) => stringMatcher(match)),
    allowMethods: cors.allowMethods.join(),
    allowHeaders: cors.allowHeaders.join(),
    exposeHeaders: cors.exposeHeaders.join(),
    maxAge: cors.maxAgeS === undefined ? '' : String(cors.maxAgeS),
    allowCredentials: cors.allowCredentials ?? false,
    forwardNotMatchingPreflights: cors.forwardNotMatching ?? true,
  });
}

/** Undefined where nothing would ever happen. */
function faultOf({ delay, abort }: Fault): HTTPFault | undefined {
  const delays = delay !== undefined && delay.ms > 0 && delay.percent > 0;
  const aborts = abort !== undefined && abort.percent > 0;
  if (!delays && !aborts) return undefined;
  return HTTPFault.create({
    delay: delays
      ? { faultDelaySecifier: { $case: 'fixedDelay', value: duration(delay.ms) }, percentage: fraction(delay.percent) }
      : undefined,
    abort: aborts
      ? {
          errorType:
            abort.grpcStatus === undefined
              ? { $case: 'httpStatus', value: abort.status }
              : { $case: 'grpcStatus', value: abort.grpcStatus },
          percentage: fraction(abort.percent),
        }
      : undefined,
  });
}

/** `percent`: 0-100, to a ten-thousandth. */
function fraction(percent: number): FractionalPercent {
  return { numerator: Math.round(percent * 10_000), denominator: FractionalPercent_DenominatorType.MILLION };
}

export function runtimeFraction(percent: number): RuntimeFractionalPercent {
  return { defaultValue: fraction(percent), runtimeKey: '' };
}
