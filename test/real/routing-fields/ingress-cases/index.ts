import type { FieldCase } from '../case.ts';
import { gatewayApiListenerCases } from './gateway-api-listeners.ts';
import { gatewayApiRouteCases } from './gateway-api-routes.ts';
import { hostCases } from './hosts.ts';
import { tlsCases } from './tls.ts';

/**
 * What is said of ingress, asked from outside the mesh. In a config `$GATE(NAME)` is a port of the gateway, and `$PROXY` the proxy that
 * it is for: Gateways select one by label `proxy`, and those of the Gateway API are called `front-$PROXY`. Of `$GATE(closed)` nobody listens.
 */
export const ingressCases: readonly FieldCase[] = [...hostCases, ...tlsCases, ...gatewayApiListenerCases, ...gatewayApiRouteCases];
