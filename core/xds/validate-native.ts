import { isIP } from 'node:net';
import { isDnsLabel, parseSniName, parseSpiffeId, parseWorkloadId } from '../model/index.ts';
import type { Violation } from '../validate.ts';
import type { Bundle, Cluster, Endpoint, Listener, LoadAssignment, Route } from './gen/isthmus/native/v1/native.ts';
import { Route_Mode } from './gen/isthmus/native/v1/native.ts';
import { checkCount, collect, isCidr, isPort, type Report } from './report.ts';
import { checkIngress } from './validate-ingress.ts';
import { checkTraffic } from './validate-traffic.ts';
import { checkTunnelled } from './validate-tunnel.ts';

export function checkBundle(bundle: Bundle): readonly Violation[] {
  return collect((report) => {
    if (bundle.trustDomain === '') report('trustDomain', 'must not be empty');
    if (bundle.roots.length === 0) report('roots', 'must hold a root: a bundle without any trusts nobody');
    for (const [i, root] of bundle.roots.entries()) if (root.length === 0) report(`roots[${i}]`, 'is empty');
    for (const [i, { cluster, certificate }] of bundle.intermediates.entries()) {
      if (cluster === '') report(`intermediates[${i}].cluster`, 'must not be empty');
      if (certificate.length === 0) report(`intermediates[${i}].certificate`, 'is empty');
    }
    for (const [i, serial] of bundle.deniedSerials.entries()) {
      if (!/^[0-9a-f]+$/.test(serial)) report(`deniedSerials[${i}]`, 'must be lower-case hex');
    }
    for (const [i, key] of bundle.jwtKeys.entries()) {
      if (key.keyId === '') report(`jwtKeys[${i}].keyId`, 'must not be empty');
      if (key.publicKey.length === 0) report(`jwtKeys[${i}].publicKey`, 'is empty');
    }
    const suffix = bundle.hostSuffix;
    if (suffix !== '' && (suffix.length > 253 || !suffix.split('.').every(isDnsLabel))) report('hostSuffix', 'must be a DNS name');
  });
}

export function checkCluster(cluster: Cluster): readonly Violation[] {
  return collect((report) => {
    for (const field of ['name', 'host', 'namespace', 'service'] as const) if (cluster[field] === '') report(field, 'must not be empty');
    if (cluster.traffic !== undefined) checkTraffic(cluster.traffic, 'traffic', report);
    const { port, guardedPort } = cluster;
    // With a guarded port there is something that must be known, and with TLS the port must be guarded.
    if ((guardedPort !== 0) !== (cluster.traffic?.tls !== undefined))
      report('guardedPort', 'goes with traffic.tls; maybe something that this version does not know');
    if (!isPort(guardedPort === 0 ? port : guardedPort)) report('port', 'must be 1-65535');
    if (guardedPort !== 0 && port !== 0) report('port', 'must not be set beside guardedPort');
  });
}

export function checkAssignment(assignment: LoadAssignment): readonly Violation[] {
  return collect((report) => {
    if (assignment.clusterName === '') report('clusterName', 'must not be empty');
    for (const [i, endpoint] of assignment.endpoints.entries()) checkEndpoint(endpoint, `endpoints[${i}]`, report);
    for (const [i, endpoint] of assignment.unhealthyEndpoints.entries()) checkEndpoint(endpoint, `unhealthyEndpoints[${i}]`, report);
    for (const [i, endpoint] of (assignment.tunnelled?.endpoints ?? []).entries())
      checkTunnelled(endpoint, `tunnelled.endpoints[${i}]`, report);
    checkPriorities(assignment, report);
    checkCount(assignment.localities.length, mostLocalities, 'localities', report);
  });
}

/** Of one assignment, over all its priorities. */
const mostLocalities = 4_096;

function checkPriorities({ endpoints, unhealthyEndpoints, priorities }: LoadAssignment, report: Report): void {
  const stated = endpoints.map((each) => each.priority);
  const unhealthy = unhealthyEndpoints.map((each) => each.priority);
  if (priorities.length === 0) {
    checkContiguous([...stated, ...unhealthy], 'endpoints', report);
    return;
  }
  checkContiguous(stated, 'endpoints', report);
  if (priorities.length !== new Set(stated).size) report('priorities', 'must have an entry for each priority of endpoints');
  if (priorities.some((each, i) => i > 0 && each <= (priorities[i - 1] ?? 0))) report('priorities', 'must go up');
  checkContiguous([...priorities, ...unhealthy], 'priorities', report);
}

function checkContiguous(all: readonly number[], path: string, report: Report): void {
  const priorities = new Set(all);
  for (let p = 0; p < priorities.size; p += 1) {
    if (!priorities.has(p)) {
      report(path, `priorities must be contiguous from 0; ${p} is missing`);
      return;
    }
  }
}

function checkEndpoint(endpoint: Endpoint, path: string, report: Report): void {
  if (isIP(endpoint.address) === 0) report(`${path}.address`, 'must be an IP address');
  if (endpoint.tunnel !== undefined) report(`${path}.tunnel`, 'stands in tunnelled.endpoints alone');
  if (!isPort(endpoint.port)) report(`${path}.port`, 'must be 1-65535');
  if (endpoint.viaGateway && endpoint.tls === undefined) report(`${path}.tls`, 'must be set: no plaintext across networks');
  if (endpoint.tls === undefined) return;
  const { clusterSan, trustDomain = '' } = endpoint.tls;
  if ((clusterSan === '') === (trustDomain === ''))
    report(`${path}.tls.clusterSan`, 'must name the cluster that the server proves, unless it is of another trust domain');
  // Without a URI SAN any workload of that cluster could answer.
  if (endpoint.tls.uriSans.length === 0) report(`${path}.tls.uriSans`, 'must name whom to expect');
  for (const [i, san] of endpoint.tls.uriSans.entries()) {
    if (trustDomain === '' ? parseSpiffeId(san) === undefined : parseWorkloadId(san)?.trustDomain !== trustDomain)
      report(`${path}.tls.uriSans[${i}]`, 'must be a SPIFFE id of that trust domain');
  }
}

export function checkListener(listener: Listener): readonly Violation[] {
  return collect((report) => {
    if (listener.name === '') report('name', 'must not be empty');
    const kind = listener.kind;
    if (kind === undefined) return report('kind', 'must be set; maybe a kind that this version does not know');
    if (kind.$case === 'ingress') return checkIngress(kind.value, 'ingress', report);
    if (kind.$case === 'originate') {
      if (!isPort(kind.value.port)) report('originate.port', 'must be 1-65535');
      if (kind.value.clusterName === '') report('originate.clusterName', 'must not be empty');
      for (const [i, cidr] of kind.value.allowedCidrs.entries()) {
        if (!isCidr(cidr)) report(`originate.allowedCidrs[${i}]`, 'must be ADDRESS/BITS');
      }
      return;
    }
    if (kind.value.hosts.length === 0) report('service.hosts', 'must name a host');
    for (const [i, port] of kind.value.ports.entries()) {
      if (!isPort(port.port)) report(`service.ports[${i}].port`, 'must be 1-65535');
      if (port.clusterName === '') report(`service.ports[${i}].clusterName`, 'must not be empty');
    }
  });
}

export function checkRoute(route: Route): readonly Violation[] {
  return collect((report) => {
    if (parseSniName(route.name) === undefined) report('name', 'must be outbound_.PORT_.SUBSET_.HOST');
    if (route.clusterName === '') report('clusterName', 'must not be empty');
    if (route.mode === Route_Mode.TERMINATE) {
      if (route.authzName === '') report('authzName', 'must be set where the gateway terminates');
    } else if (route.mode !== Route_Mode.PASSTHROUGH) {
      report('mode', 'must be passthrough or terminate');
    }
  });
}
