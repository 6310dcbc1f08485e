import { exposedTakenAdvice, noRightAdvice, type PortTaken, portTakenAdvice } from '../redirect/index.ts';
import type { EnvoyTraffic } from './envoy-traffic.ts';

/** PORT_TAKEN, where Envoy was the one who could not have the port. */
export function takenByOthers(traffic: EnvoyTraffic | undefined): readonly PortTaken[] {
  if (traffic === undefined) return [];
  const called = traffic.taken().map(({ listener: { clusterName, port }, denied }) => {
    const host = clusterName.slice(clusterName.lastIndexOf('|') + 1);
    return { host, port, reason: denied ? noRightAdvice(host, port) : portTakenAdvice(host, port) };
  });
  const exposed = traffic.exposedTaken().map((place) => {
    return { host: place.address, port: place.port, reason: exposedTakenAdvice('the service', place) };
  });
  return [...called, ...exposed];
}
