import { noRightAdvice, type PortTaken, portTakenAdvice } from '../redirect/index.ts';
import type { EnvoyTraffic } from './envoy-traffic.ts';

/** PORT_TAKEN, where Envoy was the one who could not have the port. */
export function takenByOthers(traffic: EnvoyTraffic | undefined): readonly PortTaken[] {
  return (traffic?.taken() ?? []).map(({ listener: { clusterName, port }, denied }) => {
    const host = clusterName.slice(clusterName.lastIndexOf('|') + 1);
    return { host, port, reason: denied ? noRightAdvice(host, port) : portTakenAdvice(host, port) };
  });
}
