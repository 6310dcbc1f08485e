import { isIP } from 'node:net';
import { isDnsLabel, parseSpiffeId } from '../model/index.ts';
import type { Violation } from '../validate.ts';
import type { Endpoint, Tls, TunnelGateway } from './gen/isthmus/native/v1/native.ts';
import { collect, isPort, type Report } from './report.ts';

export function checkTunnelGateway(gateway: TunnelGateway): readonly Violation[] {
  return collect((report) => {
    const { name, addresses, port, tls } = gateway;
    const [cluster = '', instance = ''] = name.split('/');
    if (!isDnsLabel(cluster) || instance === '') report('name', 'must be CLUSTER/INSTANCE');
    if (addresses.length === 0) report('addresses', 'must hold an address');
    for (const [i, address] of addresses.entries()) if (isIP(address) === 0) report(`addresses[${i}]`, 'must be an IP address');
    if (!isPort(port)) report('port', 'must be 1-65535');
    if (tls === undefined) return report('tls', 'must say whom to expect');
    checkServer(tls, 'tls', report);
  });
}

/** Of an endpoint that is reached through a tunnel. */
export function checkTunnelled({ address, tunnel, priority, viaGateway }: Endpoint, path: string, report: Report): void {
  if (isIP(address) === 0) report(`${path}.address`, 'must be an IP address');
  if (priority !== 0) report(`${path}.priority`, 'must be 0');
  if (viaGateway) report(`${path}.viaGateway`, 'must not be set');
  if (tunnel === undefined) {
    report(`${path}.tunnel`, 'must say who may begin it');
    return;
  }
  if (tunnel.instance === '') report(`${path}.tunnel.instance`, 'must not be empty');
  if (parseSpiffeId(tunnel.uriSan) === undefined) report(`${path}.tunnel.uriSan`, 'must be a SPIFFE id');
  if (tunnel.clusterSan === '') report(`${path}.tunnel.clusterSan`, 'must name the cluster');
  // Of an empty one everybody would know the secret.
  if (tunnel.secretSha256.length !== 32) report(`${path}.tunnel.secretSha256`, 'must be a SHA-256');
}

function checkServer({ uriSans, clusterSan }: Tls, path: string, report: Report): void {
  if (clusterSan === '') report(`${path}.clusterSan`, 'must name the cluster that the server proves');
  if (uriSans.length === 0) report(`${path}.uriSans`, 'must name whom to expect');
  for (const [i, san] of uriSans.entries()) if (parseSpiffeId(san) === undefined) report(`${path}.uriSans[${i}]`, 'must be a SPIFFE id');
}
