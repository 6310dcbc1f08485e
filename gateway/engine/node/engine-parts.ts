import type { Balancer } from '../../balance/index.ts';
import type { Deadlines } from '../../deadlines.ts';
import type { Router } from '../../routing/index.ts';
import type { DialRequest, DialResult, EngineOptions, EngineTables } from '../contract.ts';
import type { IngressTerminator } from './ingress-terminator.ts';
import type { Latencies } from './latencies.ts';
import type { TlsTerminator } from './tls-terminator.ts';

/** What the ways of serving a connection share. Private to the node engine. */
export interface EngineParts {
  readonly options: EngineOptions;
  readonly balancer: Balancer;
  readonly router: Router;
  readonly terminator: TlsTerminator;
  readonly ingressTerminator: IngressTerminator;
  readonly deadlines: Deadlines;
  readonly latencies: Latencies;
  readonly tables: () => EngineTables;
  readonly dial: (request: DialRequest) => Promise<DialResult>;
}
