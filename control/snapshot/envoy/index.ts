import { envoyOrder } from '../../../core/xds/index.ts';
import type { Dialect } from '../dialect.ts';
import { gather } from './gather.ts';
import { personal } from './personal.ts';
import { translate } from './translate.ts';

/** For real Envoy, as sidecar, ingress gateway and east-west gateway. */
export const envoyDialect: Dialect = {
  name: 'envoy',
  typeUrls: envoyOrder,
  translate: (_owner, resources, context) => translate(resources, context),
  gather: { kinds: ['route', 'authz', 'bundle', 'listener', 'routing', 'cluster'], build: gather },
  personal,
};
