import { checkSidecar, checkTelemetry } from './check-client-rules.ts';
import { checkRoute } from './check-route.ts';
import { checkDestinationRule, checkHealthPolicy } from './check-rule.ts';
import { checkServiceEntry } from './check-service-entry.ts';
import { checkShift } from './check-shift.ts';
import { compileGateway } from './compile-gateway.ts';
import type { CompiledGateway, Finding, ServiceTraffic } from './contract.ts';
import type { Lookup } from './lookup.ts';
import { findingOf } from './objects.ts';

/** What one owner adds to the model. */
export interface Made {
  readonly traffic?: ServiceTraffic | undefined;
  readonly gateway?: CompiledGateway | undefined;
  readonly findings: readonly Finding[];
}

/** `NAMESPACE/NAME`. Undefined: there is none. */
export function compileNamed(name: string, lookup: Lookup): Made | undefined {
  const istio = lookup.gateway(name, 'istio');
  const other = lookup.gateway(name, 'gateway-api');
  const gateway = istio ?? other;
  if (gateway === undefined) return undefined;
  const made = compileGateway(gateway, lookup);
  if (istio === undefined || other === undefined) return made;
  const message = `not used: Istio's Gateway ${name} has that name`;
  return {
    ...made,
    findings: [...made.findings, findingOf(other, { severity: 'error', code: 'conflict', path: 'metadata.name', message })],
  };
}

/** What an object says that is likely not meant; undefined: there is none. */
export function check(id: string, lookup: Lookup): Made | undefined {
  const object = lookup.object(id);
  switch (object?.kind) {
    case undefined:
      return undefined;
    case 'VirtualService':
    case 'HTTPRoute':
    case 'GRPCRoute':
    case 'TLSRoute':
    case 'TCPRoute':
      return { findings: checkRoute(object, lookup) };
    case 'DestinationRule':
      return { findings: checkDestinationRule(object, lookup) };
    case 'Sidecar':
      return { findings: checkSidecar(object, lookup) };
    case 'Telemetry':
      return { findings: checkTelemetry(object, lookup) };
    case 'HealthCheckPolicy':
      return { findings: checkHealthPolicy(object, lookup) };
    case 'TrafficShift':
      return { findings: checkShift(object, lookup) };
    case 'ServiceEntry':
      return { findings: checkServiceEntry(object) };
    default:
      return { findings: [] };
  }
}
