import type { ExplainedRequest, ExplainStep, Explanation } from '../../core/admin/index.ts';
import {
  formatLocality,
  formatSpiffeId,
  gatewayServiceAccount,
  meshHost,
  type NetworkId,
  outboundClusterName,
  systemNamespace,
} from '../../core/model/index.ts';
import type { CatalogEndpoint, MergedService } from '../catalog/index.ts';
import { type Caller, callerOf } from '../policy/index.ts';
import { assignEndpoints, selectable } from './assign-endpoints.ts';
import { callsInTheClear } from './build-service.ts';
import { clientPlace } from './client-place.ts';
import { sayForeignCaller, sayForeignServers } from './explain-foreign.ts';
import { sayMtls } from './explain-mtls.ts';
import { sayRule } from './explain-rule.ts';
import { findSubject, type Subject } from './explain-subject.ts';
import { priorityLines, trafficLines } from './explain-traffic.ts';
import { gatewaysFor } from './gateways-for.ts';
import { findGatewayPort, type SnapshotInputs } from './inputs.ts';
import type { AssignmentIr, EndpointIr } from './ir.ts';
import { callerTraffic, subsetsOf } from './subset.ts';

type Outcome = ExplainStep['outcome'];

/**
 * Why a caller reaches a service or does not: the decisions that snapshots are made by, in their order, on the same inputs. The
 * first step that failed is the reason. `request`: which one it is to be about; absent: any. Pure.
 */
export function explain(inputs: SnapshotInputs, src: string, dst: string, request?: ExplainedRequest): Explanation {
  const steps: ExplainStep[] = [];
  const say = (stage: string, outcome: Outcome, text: string, details: readonly string[] = []) =>
    void steps.push({ stage, outcome, text, details: [...details] });
  const verdict = decide(inputs, { src, dst, request }, say);
  const failed = steps.find((s) => s.outcome === 'failed');
  const summary = failed === undefined ? `${src} reaches ${dst}` : `${src} does not reach ${dst}: ${failed.text}`;
  return { src, dst, verdict, summary, steps };
}

type Say = (stage: string, outcome: Outcome, text: string, details?: readonly string[]) => void;

interface Question {
  readonly src: string;
  readonly dst: string;
  readonly request: ExplainedRequest | undefined;
}

function decide(inputs: SnapshotInputs, { src, dst, request }: Question, say: Say): Explanation['verdict'] {
  const { view } = inputs;
  const target = findSubject(dst, view, inputs.hostSuffix);
  if (target === undefined) {
    say('name', 'failed', `${dst} is no NAMESPACE/NAME, host name or instance`);
    return 'unknown';
  }
  say('name', 'ok', `${dst} is service ${target.key}`, [`host ${meshHost(hostOf(target), inputs.hostSuffix)}`]);
  const service = target.service;
  if (service === undefined) {
    const held = view.withheld.get(target.key) ?? [];
    say(
      'service',
      'failed',
      `no source publishes ${target.key} to this cluster`,
      held.length > 0 ? held.map((w) => w.message) : absence(inputs),
    );
    return 'unknown';
  }
  say(
    'service',
    service.conditions.length > 0 ? 'warning' : 'ok',
    `published by ${service.contributions.map((c) => `${c.cluster}:${c.source}`).join(', ')}`,
    service.conditions.map((c) => c.message),
  );
  const port = service.ports.find((p) => target.port === undefined || p.port === target.port);
  if (port === undefined) {
    say('service', 'failed', `port ${target.port} is none of ${service.ports.map((p) => p.port).join(', ') || '(no ports)'}`);
    return 'unreachable';
  }
  const usable = selectable(service.endpoints, port);
  const counted = service.endpoints.map((e) => `${e.key} ${e.runtime} ${e.health}${e.state === 'stale' ? ' stale' : ''} on ${e.network}`);
  say('endpoints', usable.length > 0 ? 'ok' : 'failed', `${usable.length} of ${service.endpoints.length} endpoints take traffic`, counted);
  if (usable.length === 0) return 'unreachable';
  if (src.startsWith('spiffe://')) {
    const who = sayForeignCaller(inputs, src, say);
    return who === undefined ? 'unknown' : sayRule(inputs, { service, port, who, plaintext: false, request }, say);
  }
  const caller = findCaller(inputs, src, say);
  if (caller === undefined) return 'unknown';
  if (caller.sidecar && !saySidecar(inputs, service, caller, say)) return 'unreachable';
  const place = clientPlace({ kind: 'agent', network: caller.network, locality: caller.locality }, inputs);
  const [whole = { name: '' }] = subsetsOf(callerTraffic(inputs.traffic.service(service.key), caller.who.namespace));
  if (!caller.sidecar && !explainOriginate(inputs, service, port.port, caller.network, say)) return 'unreachable';
  sayMtls(inputs, service, port, say);
  const reached = assignEndpoints({ service, port, target: whole, place, plain: callsInTheClear(service, port, inputs) });
  sayNetwork(inputs, usable, caller.network, say);
  const best = firstTried(reached);
  if (best.length === 0) return 'unreachable';
  const rules = trafficLines(inputs, service, port, caller.who.namespace);
  if (rules.length > 0) say('route', 'ok', `traffic rules say where port ${port.port} leads`, rules);
  const cluster = outboundClusterName({ port: port.port, subset: '', host: meshHost(service, inputs.hostSuffix) });
  const near = caller.locality === '' ? [] : [`caller in ${caller.locality}`];
  const lines = [...near, ...priorityLines(reached), ...reached.endpoints.map(endpointLine)];
  say('gateway', 'ok', `${cluster} goes to ${best.length} address(es) first`, lines);
  const abroad = sayForeignServers(inputs, best, caller.who, say);
  if (abroad !== undefined) return abroad;
  const plaintext = best.every((e) => e.tls === undefined);
  return sayRule(inputs, { service, port, who: caller.who, plaintext, request }, say);
}

/** Of the first priority that has anybody who takes traffic. */
function firstTried({ endpoints }: AssignmentIr): readonly EndpointIr[] {
  const usable = endpoints.filter((e) => e.unhealthy !== true);
  return usable.filter((e) => e.priority === usable[0]?.priority);
}

function endpointLine(e: EndpointIr): string {
  const way = e.viaGateway ? ` gateway of ${e.network}` : ' direct';
  const { uriSans = [], trustDomain } = e.tls ?? {};
  const of = trustDomain === undefined ? '' : ` of trust domain ${trustDomain}`;
  const proof = e.tls === undefined ? ' plaintext' : ` mTLS as ${uriSans.join(' or ')}${of}`;
  return `${e.address}:${e.port} priority ${e.priority} weight ${e.weight}${way}${proof}${e.unhealthy === true ? ' unhealthy' : ''}`;
}

function hostOf(target: Subject): { namespace: string; name: string } {
  const [namespace = '', name = ''] = target.key.split('/');
  return { namespace, name };
}

function absence(inputs: SnapshotInputs): string[] {
  const waiting = inputs.view.sources
    .filter((s) => s.state === 'unknown')
    .map((s) => `${s.cluster}:${s.source} has not synced yet${s.error === undefined ? '' : `: ${s.error}`}`);
  return [...waiting, 'in its own cluster an ExportPolicy must select it for this cluster, and its Registry must claim the name'];
}

interface CallerPlace {
  readonly network: NetworkId;
  readonly locality: string;
  readonly sidecar: boolean;
  readonly who: Caller;
  readonly labels: Readonly<Record<string, string>>;
}

function findCaller(inputs: SnapshotInputs, src: string, say: Say): CallerPlace | undefined {
  const subject = findSubject(src, inputs.view, inputs.hostSuffix);
  const endpoint =
    subject?.endpoint ?? subject?.service?.endpoints.find((e) => e.cluster === inputs.view.cluster) ?? subject?.service?.endpoints[0];
  if (endpoint === undefined) {
    say('identity', 'failed', `${src} has no endpoint that this cluster knows, so its network and identity are unknown`);
    return undefined;
  }
  const { trustDomain } = inputs.trust;
  const sidecar = endpoint.tlsMode === 'mesh';
  const own = { trustDomain, namespace: endpoint.identityNamespace, serviceAccount: endpoint.serviceAccount };
  const gateway = { trustDomain, namespace: systemNamespace, serviceAccount: gatewayServiceAccount };
  const id = sidecar ? own : gateway;
  const why = sidecar ? 'its own SVID' : 'it has no sidecar: a gateway of its network calls for it, and is the principal';
  say('identity', 'ok', `caller ${formatSpiffeId(id)} of cluster ${endpoint.cluster}`, [
    why,
    `network ${endpoint.network}, instance ${endpoint.instance}`,
  ]);
  const locality = sidecar ? formatLocality(endpoint.locality) : '';
  return { network: endpoint.network, locality, sidecar, who: callerOf(id, endpoint.cluster), labels: endpoint.labels };
}

/** Nothing where no Sidecar says which services the caller sees. */
function saySidecar({ traffic }: SnapshotInputs, service: MergedService, { who, labels }: CallerPlace, say: Say): boolean {
  const egress = traffic.clients.egress({ namespace: who.namespace, labels });
  if (egress === undefined) return true;
  const seen = egress.names(service.key);
  const text = seen ? `Sidecar ${egress.sidecar} names ${service.key}` : `Sidecar ${egress.sidecar} does not name ${service.key}`;
  say('sidecar', seen ? 'ok' : 'failed', text, seen ? [] : ['its spec.egress.hosts say what the caller sees']);
  return seen;
}

function explainOriginate(inputs: SnapshotInputs, service: MergedService, port: number, network: NetworkId, say: Say): boolean {
  const entry = findGatewayPort(inputs.gatewayPorts, service.key, port);
  const gateways = gatewaysFor(inputs.view, inputs.view.cluster, network);
  if (gateways.length === 0) say('gateway', 'failed', `a caller without a sidecar needs a gateway on ${network}, and there is none`);
  else if (entry === undefined)
    say('gateway', 'failed', `${service.key}:${port} has no gateway port`, ['a Registry with `publish: true` gives it one']);
  else if (inputs.originateCidrs.length === 0)
    say('gateway', 'failed', 'no source address may use gateway ports', ['name them in Mesh spec.originate.sources']);
  else {
    say('gateway', 'ok', `gateway port ${entry.gatewayPort} of ${network} originates mTLS`, [
      `allowed sources ${inputs.originateCidrs.join(', ')}`,
      'a policy that names the caller itself cannot match: the principal is the gateway',
    ]);
    return true;
  }
  return false;
}

function sayNetwork(inputs: SnapshotInputs, usable: readonly CatalogEndpoint[], from: NetworkId, say: Say): void {
  const networks = [...new Set(usable.map((e) => e.network))].sort();
  const lines = networks.map((network) => {
    if (network === from) return `${network}: the caller's own, direct`;
    const clusters = [...new Set(usable.filter((e) => e.network === network).map((e) => e.cluster))];
    const gateways = clusters.flatMap((cluster) => gatewaysFor(inputs.view, cluster, network));
    return gateways.length === 0
      ? `${network}: no gateway, so none of its endpoints can be reached`
      : `${network}: through ${gateways.map((g) => `${g.instance} (${g.addresses.join(', ')}:${g.port})`).join(', ')}`;
  });
  const dead = lines.every((line) => line.includes('no gateway'));
  say(
    'network',
    dead ? 'failed' : 'ok',
    dead ? `no gateway leads to ${networks.join(', ')}` : `caller on ${from}, endpoints on ${networks.join(', ')}`,
    lines,
  );
}
