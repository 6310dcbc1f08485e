import type { FieldCase } from '../case.ts';
import { answerCases } from './answers.ts';
import { balancingCases } from './balancing.ts';
import { connectionCases } from './connections.ts';
import { cornerCases } from './corners.ts';
import { entryCases } from './entries.ts';
import { gatewayApiCases } from './gateway-api.ts';
import { grpcCases } from './grpc.ts';
import { grpcRouteCases } from './grpc-route.ts';
import { healthCases } from './health.ts';
import { http2Cases } from './http2.ts';
import { l4RouteCases } from './l4-routes.ts';
import { localityCases } from './localities.ts';
import { matchCases } from './match.ts';
import { outsideCases } from './outside.ts';
import { overloadCases } from './overload.ts';
import { retryCases } from './retries.ts';
import { routeCases } from './routes.ts';
import { streamCases } from './streams.ts';
import { webSocketCases } from './web-sockets.ts';

export const fieldCases: readonly FieldCase[] = [
  ...matchCases,
  ...answerCases,
  ...routeCases,
  ...retryCases,
  ...balancingCases,
  ...localityCases,
  ...overloadCases,
  ...healthCases,
  ...streamCases,
  ...connectionCases,
  ...outsideCases,
  ...http2Cases,
  ...grpcCases,
  ...webSocketCases,
  ...gatewayApiCases,
  ...grpcRouteCases,
  ...l4RouteCases,
  ...entryCases,
  ...cornerCases,
];
