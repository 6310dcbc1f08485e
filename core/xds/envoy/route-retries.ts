import type { RetryPolicy as MeshRetries } from '../../traffic/index.ts';
import { HeaderMatcher, RetryPolicy } from '../gen/envoy/config/route/v3/route_components.ts';
import { PreviousPrioritiesConfig } from '../gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.ts';
import { duration, emptyConfig, packed } from './any.ts';
import { proxyLimits } from './limits.ts';
import { safeRegex } from './string-match.ts';

/** Says that an application was not reached, from one mesh end to the other: see gateway/forward. */
export const localOriginHeader = 'x-isthmus-local-origin';

/** RFC 9110 §9.2.2: what was sent may be sent again. */
export const idempotent = HeaderMatcher.create({
  name: ':method',
  headerMatchSpecifier: { $case: 'stringMatch', value: { matchPattern: safeRegex('GET|HEAD|OPTIONS|TRACE|PUT|DELETE') } },
});

const fromMeshEnd = HeaderMatcher.create({ name: localOriginHeader, headerMatchSpecifier: { $case: 'presentMatch', value: true } });
const unseen = HeaderMatcher.create({
  name: localOriginHeader,
  headerMatchSpecifier: { $case: 'stringMatch', value: { matchPattern: safeRegex('(UF|UH|NC)(,.*)?') } },
});

/** What no application has seen goes to another endpoint, whatever its method; `again`: what one may have seen, too. */
export function defaultRetry(again: boolean): RetryPolicy {
  const on = ['connect-failure', 'refused-stream', 'reset-before-request', 'retriable-headers', ...(again ? ['reset'] : [])];
  return RetryPolicy.create({
    retryOn: on.join(),
    numRetries: proxyLimits.maxAttempts - 1,
    retriableHeaders: [again ? fromMeshEnd : unseen],
    retryBackOff: { baseInterval: duration(1), maxInterval: duration(10) },
    ...elsewhere,
  });
}

/** Undefined: none at all, and no time-out of a try. What the other mesh end says it could not connect to or lost counts as if it had happened here. */
export function retryPolicy(retries: MeshRetries): RetryPolicy | undefined {
  const { attempts, on, statusCodes, perTryTimeoutMs = 0, backoffMs = 25, ignorePreviousHosts = true, otherLocalities = false } = retries;
  const perTry = perTryTimeoutMs === 0 ? {} : { perTryTimeout: duration(perTryTimeoutMs) };
  // The only try has its time-out all the same: Envoy takes it from here alone.
  if (attempts === 0) return perTryTimeoutMs === 0 ? undefined : RetryPolicy.create({ numRetries: 0, ...perTry });
  const lost = on.includes('reset') ? fromMeshEnd : unseen;
  const headers = on.includes('reset') || on.includes('connect-failure') ? [lost] : [];
  return RetryPolicy.create({
    retryOn: [...on, ...(headers.length === 0 ? [] : ['retriable-headers'])].join(),
    numRetries: attempts,
    ...perTry,
    retriableStatusCodes: on.includes('retriable-status-codes') ? [...statusCodes] : [],
    retriableHeaders: headers,
    retryBackOff: { baseInterval: duration(Math.max(1, backoffMs)), maxInterval: duration(Math.max(1, backoffMs) * 10) },
    ...(ignorePreviousHosts ? elsewhere : {}),
    ...(otherLocalities ? { retryPriority: lowerPriorities } : {}),
  });
}

const elsewhere = {
  retryHostPredicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      configType: {
        $case: 'typedConfig' as const,
        value: emptyConfig('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'),
      },
    },
  ],
  hostSelectionRetryMaxAttempts: 5,
};

/** A priority that was tried takes no more of the request, until all were. */
const lowerPriorities = {
  name: 'envoy.retry_priorities.previous_priorities',
  configType: {
    $case: 'typedConfig' as const,
    value: packed(
      'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig',
      PreviousPrioritiesConfig,
      PreviousPrioritiesConfig.create({ updateFrequency: 1 }),
    ),
  },
};
