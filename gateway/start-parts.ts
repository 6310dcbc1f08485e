import { join } from 'node:path';
import {
  controlChannel,
  type InstanceRegistration,
  type ObtainedIdentity,
  obtainIdentity,
  registerInstance,
} from '../core/identity/index.ts';
import { version } from '../core/version.ts';
import { type agent, buildNode, nativeOrder, nativeTypeUrls } from '../core/xds/index.ts';
import type { GatewayDeps } from './contract.ts';
import { gatewayRole } from './gateway-tunnels.ts';
import { HandOver } from './hand-over/index.ts';
import type { GatewayOptions } from './options.ts';
import { engineOf } from './starting.ts';
import { StateFeed } from './state/index.ts';

/** What a gateway is made of, one function a part. `signal` ends the part. */

/** From disk, or by redeeming the token as soon as a control plane answers. */
export function openIdentity(options: GatewayOptions, deps: Required<GatewayDeps>, signal: AbortSignal): Promise<ObtainedIdentity> {
  const { stateDir, token, instance, attest: proof } = options;
  const { clock, random, log } = deps;
  const given = token === undefined ? {} : { token };
  return obtainIdentity({ dir: join(stateDir, 'identity'), ...given, proof, instance, clock, random, log, signal });
}

export function openFeed(
  options: GatewayOptions,
  identity: ObtainedIdentity,
  { clock, random, log }: Required<GatewayDeps>,
  signal: AbortSignal,
): Promise<StateFeed> {
  const { kind, stateDir, instance, network, locality, labels, proxy } = options;
  const { spiffeId, cluster } = identity.current();
  // Envoy is told all else by the control plane itself.
  const wanted = proxy === 'isthmus' ? nativeOrder : [nativeTypeUrls.bundle];
  return StateFeed.open({
    file: join(stateDir, 'state'),
    addresses: identity.token.addresses,
    security: () => controlChannel(identity, { cluster, now: () => clock.now() }),
    interest: () => new Map(wanted.map((typeUrl) => [typeUrl, '*'])),
    node: buildNode({ kind, identity: spiffeId, instance, network, locality, labels, version, ...engineOf(options) }),
    clock,
    random,
    log,
    signal,
  });
}

/** `port`: the one that is bound. `engine`: what moves its bytes. */
export async function register(
  options: GatewayOptions,
  { port, engine }: { readonly port: number; readonly engine: string },
  identity: ObtainedIdentity,
  report: agent.Report,
  { clock, random, log }: Required<GatewayDeps>,
  signal: AbortSignal,
): Promise<InstanceRegistration> {
  const { stateDir, instance, network, locality, labels, advertise } = options;
  return registerInstance({
    source: identity,
    dir: join(stateDir, 'identity'),
    addresses: () => identity.token.addresses,
    hello: {
      instance,
      network,
      addresses: [...advertise],
      role: { $case: 'gateway', value: await gatewayRole(options, port, engine) },
      labels,
      locality,
      version,
    },
    report,
    clock,
    random,
    log,
    signal,
  });
}

/** Undefined where nobody is to take over. */
export async function beginHandOver(
  { handOver: path, kind, instance }: GatewayOptions,
  { clock, log }: Required<GatewayDeps>,
  signal: AbortSignal,
): Promise<HandOver | undefined> {
  return path === undefined ? undefined : HandOver.begin({ path, kind, instance, clock, log, signal });
}
