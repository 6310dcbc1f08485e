import type { NetworkId } from '../../../core/model/index.ts';
import type { GatewayRecord } from '../../catalog/index.ts';
import type { PreflightCheck } from './contract.ts';
import type { Scene, Side } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { countText, listText, someText } from './words.ts';

/** Callers reach either side: on one network directly, across networks by a healthy gateway of the other. */
export function checkReach(scene: Scene): readonly PreflightCheck[] {
  const networks = callerNetworks(scene);
  const problems = [...there(scene, networks), ...back(scene, networks), ...transport(scene)];
  return verdict('network', passed(scene, networks), problems);
}

function passed({ to }: Scene, callers: readonly string[]): string {
  const away = callers.filter((c) => !networksOf(to).includes(c));
  const near = `${to.label} is on ${listText(networksOf(to)) || 'no network yet'}`;
  return away.length === 0 ? `${near}, where all callers are` : `${near}, and callers on ${listText(away)} reach it by its gateways`;
}

/** Where nothing is registered yet, what the registry's rules say. */
function networksOf(side: Side): readonly string[] {
  if (side.endpoints.length > 0) return [...new Set<string>(side.endpoints.map((e) => e.network))].sort();
  return side.config === undefined ? [] : [side.config.rules.network];
}

/** Of those who were seen to call, else of all who are connected, else of the side that they must reach now. */
function callerNetworks({ facts, key, from }: Scene): readonly string[] {
  const principals = new Set((facts.calls ?? []).filter((c) => c.destination === key).map((c) => c.source.principal));
  const callers = facts.clients.filter((c) => c.kind !== 'gateway' || principals.has(c.principal));
  const seen = callers.filter((c) => principals.has(c.principal));
  const networks = (seen.length > 0 ? seen : callers).map((c) => c.network);
  return [...new Set(networks.length > 0 ? networks : networksOf(from))].sort();
}

function gatewaysOf({ facts }: Scene, network: string): readonly GatewayRecord[] {
  return facts.view.gateways.get(network as NetworkId) ?? [];
}

function usable(gateways: readonly GatewayRecord[]): readonly GatewayRecord[] {
  return gateways.filter((g) => g.healthy && !g.draining && g.addresses.length > 0);
}

function closed(scene: Scene, network: string): string | undefined {
  const all = gatewaysOf(scene, network);
  if (usable(all).length > 0) return undefined;
  if (all.length === 0) return `network ${network} has no gateway`;
  const states = all.map((g) => `${g.instance} ${g.draining ? 'is draining' : g.healthy ? 'advertises no address' : 'is not healthy'}`);
  return `network ${network} has no gateway that takes traffic: ${someText(states)}`;
}

function there(scene: Scene, callers: readonly string[]): Problem[] {
  const { to } = scene;
  if (networksOf(to).length === 0 && to.source !== undefined) {
    const message = `on which network ${to.label} will be is not known yet, so neither is whether callers reach it`;
    return [warn('spec.to', message, 'plan again once an endpoint is registered there')];
  }
  return networksOf(to).flatMap((network) => {
    const away = callers.filter((c) => c !== network);
    const why = away.length === 0 ? undefined : closed(scene, network);
    if (why === undefined) return [];
    const message = `${to.label} is on network ${network}, callers are on ${listText(away)}, and ${why}`;
    return [fail('spec.to', message, `run a gateway on network ${network} that the others can dial`)];
  });
}

/** Going back is a way too, and whoever moved along with the service needs it. */
function back(scene: Scene, callers: readonly string[]): Problem[] {
  const { from, to } = scene;
  return networksOf(from).flatMap((network) => {
    const away = [...new Set([...callers, ...networksOf(to)])].filter((c) => c !== network).sort();
    const why = away.length === 0 ? undefined : closed(scene, network);
    if (why === undefined) return [];
    const calling = away.filter((c) => callers.includes(c));
    const message = `${from.label} is on network ${network}, and ${why}: from ${listText(away)} there is no way back to it`;
    const fix = `run a gateway on network ${network}, so that a rollback reaches everybody`;
    return [calling.length > 0 ? fail('spec.from', message, fix) : warn('spec.from', message, fix)];
  });
}

/** What only some callers can use. */
function transport({ facts, to, service, key }: Scene): Problem[] {
  const grpc = facts.clients.filter((c) => c.dialect === 'grpc');
  if (grpc.length === 0 || service?.ports.some((p) => p.protocol === 'grpc') !== true) return [];
  const problems: Problem[] = [];
  const strangers = grpc.filter((c) => c.anchors?.includes(to.cluster) === false).map((c) => c.id);
  if (strangers.length > 0) {
    const message = `proxyless gRPC clients ${someText(strangers)} have no anchor of ${to.cluster}: they could not trust what they are moved to`;
    problems.push(fail('spec.to.cluster', message, `write their bootstrap anew (\`isthmus grpc bootstrap\`), with ${to.cluster} in it`));
  }
  const message = `${countText(grpc.length, 'proxyless gRPC client')} connected: they follow the weights and report nothing, so gates do not see what they call`;
  const fix = `see that enough of the traffic of ${key} to ${to.label} comes from proxies, or gate on the servers' own metrics with type prometheus`;
  return [...problems, warn('spec.gates', message, fix)];
}
