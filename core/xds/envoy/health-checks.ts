import type { HealthCheck as MeshCheck } from '../../traffic/index.ts';
import { HealthCheck } from '../gen/envoy/config/core/v3/health_check.ts';
import { CodecClientType } from '../gen/envoy/type/v3/http.ts';
import { duration } from './any.ts';

/** From each proxy to each endpoint, over the same TLS as requests. `host`: where the check names none. `http2`: what endpoints speak. */
export function healthCheck(check: MeshCheck, host: string, http2: boolean): HealthCheck {
  return HealthCheck.create({
    timeout: duration(check.timeoutMs),
    interval: duration(check.intervalMs),
    // As often where nobody calls.
    noTrafficInterval: duration(check.intervalMs),
    healthyThreshold: check.healthyThreshold,
    unhealthyThreshold: check.unhealthyThreshold,
    healthChecker: checker(check, check.host ?? host, http2),
  });
}

function checker(check: MeshCheck, host: string, http2: boolean): HealthCheck['healthChecker'] {
  switch (check.type) {
    case 'tcp':
      return { $case: 'tcpHealthCheck', value: { send: undefined, receive: [], proxyProtocolConfig: undefined } };
    case 'grpc':
      return { $case: 'grpcHealthCheck', value: { serviceName: check.service, authority: host, initialMetadata: [] } };
    case 'http': {
      // Envoy's ranges are without their ends.
      const expectedStatuses = check.expectedStatuses.map(({ from, to }) => ({ start: from, end: to + 1 }));
      const codecClientType = http2 ? CodecClientType.HTTP2 : CodecClientType.HTTP1;
      const value = { host, path: check.path, expectedStatuses, codecClientType };
      return HealthCheck.create({ healthChecker: { $case: 'httpHealthCheck', value } }).healthChecker;
    }
  }
}
