import { isIP } from 'node:net';
import type { IngressListener, IngressServer } from './gen/isthmus/native/v1/routing.ts';
import { IngressServer_Protocol, IngressTls_Mode, IngressTls_Version } from './gen/isthmus/native/v1/routing.ts';
import { checkCount, isPort, type Report } from './report.ts';

const mostServers = 1_024;
const mostHosts = 4_096;

export function checkIngress(listener: IngressListener, path: string, report: Report): void {
  if (listener.address !== '' && isIP(listener.address) === 0) report(`${path}.address`, 'must be an IP address, or empty');
  if (!isPort(listener.port)) report(`${path}.port`, 'must be 1-65535');
  checkCount(listener.servers.length, mostServers, `${path}.servers`, report);
  const names = new Set<string>();
  for (const [i, server] of listener.servers.entries()) {
    checkServer(server, `${path}.servers[${i}]`, report);
    if (names.has(server.name)) report(`${path}.servers[${i}].name`, `${server.name} is there twice`);
    names.add(server.name);
  }
}

function checkServer({ hosts, protocol, tls, routingName }: IngressServer, path: string, report: Report): void {
  const known = [IngressServer_Protocol.HTTP, IngressServer_Protocol.TCP, IngressServer_Protocol.TLS_PASSTHROUGH] as number[];
  if (!known.includes(protocol)) report(`${path}.protocol`, 'must be http, tcp or tls-passthrough');
  checkCount(hosts.length, mostHosts, `${path}.hosts`, report);
  for (const [i, host] of hosts.entries()) {
    if (!/^(\*|(\*\.)?[^*]+)$/.test(host)) report(`${path}.hosts[${i}]`, 'must be exact, `*.suffix` or `*`');
  }
  if (routingName === '') report(`${path}.routingName`, 'must not be empty');
  if (tls === undefined) return;
  if (protocol === IngressServer_Protocol.TLS_PASSTHROUGH) report(`${path}.tls`, 'must not be set where TLS is passed through');
  if (tls.certFile === '') report(`${path}.tls.certFile`, 'must not be empty');
  if (tls.keyFile === '') report(`${path}.tls.keyFile`, 'must not be empty');
  const modes = [IngressTls_Mode.SIMPLE, IngressTls_Mode.MUTUAL, IngressTls_Mode.OPTIONAL_MUTUAL] as number[];
  // An unknown mode might ask for a proof that we would not ask for.
  if (!modes.includes(tls.mode)) report(`${path}.tls.mode`, 'must be simple, mutual or optional-mutual');
  else if (tls.mode !== IngressTls_Mode.SIMPLE && !tls.caFile) report(`${path}.tls.caFile`, 'must be set where clients prove themselves');
  if (tls.minVersion !== IngressTls_Version.TLS_1_2 && tls.minVersion !== IngressTls_Version.TLS_1_3)
    report(`${path}.tls.minVersion`, 'must be 1.2 or 1.3');
}
