import type { BenchCase } from '../bench-case.ts';
import { agent } from './agent.ts';
import { caAgents } from './ca-agents.ts';
import { caRenew } from './ca-renew.ts';
import { catalog } from './catalog.ts';
import { engineHttp } from './engine-http.ts';
import { engineStreams } from './engine-streams.ts';
import { engines } from './engines.ts';
import { gatewayHttp, gatewayPassthrough } from './gateway.ts';
import { routing } from './routing.ts';
import { sign } from './sign.ts';
import { snapshot } from './snapshot.ts';
import { store } from './store.ts';
import { tunnel } from './tunnel.ts';
import { verify } from './verify.ts';
import { xdsBytes, xdsChange } from './xds-change.ts';
import { xdsConverge } from './xds-converge.ts';
import { xdsLoad } from './xds-load.ts';
import { xdsReconnect } from './xds-reconnect.ts';

/** In the order in which they run. */
export const benchCases: readonly BenchCase[] = [
  agent,
  sign,
  caRenew,
  caAgents,
  verify,
  catalog,
  snapshot,
  gatewayHttp,
  gatewayPassthrough,
  ...engines,
  ...engineHttp,
  engineStreams,
  ...routing,
  tunnel,
  store,
  xdsChange,
  xdsBytes,
  xdsLoad,
  xdsReconnect,
  xdsConverge,
];
