import type { InstanceRegistration, ObtainedIdentity, RegistrationStatus } from '../../core/identity/index.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { version } from '../../core/version.ts';
import type { DataPlaneState, ProxyStatus, StateFeed } from '../../gateway/index.ts';
import type { AgentStatus, ListenAddress, StageVerdict } from '../contract.ts';
import type { ServiceVerdict } from '../health/index.ts';
import { type OpenIdentity, selectorsText } from '../identities/index.ts';
import { type AgentOptions, discoveryOf } from '../options.ts';
import type { PlannedListener, PortTaken } from '../redirect/index.ts';

/** What the agent knows at this moment; what has not come about yet is undefined. */
export interface AgentFacts {
  readonly options: AgentOptions;
  readonly address: string | undefined;
  readonly inbound: ListenAddress;
  readonly dns: ListenAddress;
  readonly identity: ObtainedIdentity | undefined;
  readonly others: readonly OpenIdentity[];
  readonly registration: RegistrationStatus | undefined;
  /** What the control plane found when it connected back. */
  readonly reach: ReturnType<InstanceRegistration['reach']>;
  readonly feed: StateFeed | undefined;
  /** Absent with discovery `all`. */
  readonly interest: AgentStatus['interest'] | undefined;
  readonly verdicts: readonly ServiceVerdict[];
  readonly listeners: readonly PlannedListener[];
  readonly taken: readonly PortTaken[];
  readonly capture: AgentStatus['capture'];
  /** Absent where others dial this machine. */
  readonly tunnels: AgentStatus['tunnels'] | undefined;
  readonly proxy: ProxyStatus;
  readonly engine: AgentStatus['engine'] | undefined;
  /** Why nobody reaches this machine, although its proxy runs. */
  readonly inboundFault: string | undefined;
  /** It was registered once since the start, or had something to serve without: an outage later takes nothing of that away. */
  readonly settled: boolean;
  readonly draining: boolean;
}

export function describeAgent(facts: AgentFacts): AgentStatus {
  const { options, inbound, dns, identity, feed, verdicts, address = '' } = facts;
  const { instance, network } = options;
  const stages = stagesOf(facts);
  const attested = stages.some((s) => s.stage === 'attested' && s.ok);
  const refused = facts.registration?.state === 'refused' || facts.registration?.state === 'fenced';
  return {
    instance,
    version,
    ready: attested && facts.settled && feed !== undefined && feed.from() !== 'nothing' && !refused && !facts.draining && carries(facts),
    stages,
    ...(facts.registration === undefined ? {} : { registration: facts.registration.state }),
    network,
    address,
    inbound,
    dns,
    ...(identity === undefined ? {} : { identity: identityOf(identity) }),
    identities: facts.others.map(describeIdentity),
    proxy: facts.proxy,
    ...(facts.engine === undefined ? {} : { engine: facts.engine }),
    data: dataOf(feed),
    discovery: discoveryOf(options),
    interest: facts.interest ?? [],
    services: verdicts.map(({ namespace, name, state }) => ({ namespace, name, health: state.verdict, reason: state.reason })),
    outbound: facts.listeners.map((l) => ({
      host: l.host,
      address: l.address,
      port: l.port,
      protocol: l.protocol,
      endpoints: endpointsOf(feed?.store.current, l.clusterName),
    })),
    ...(facts.capture === undefined ? {} : { capture: facts.capture }),
    taken: facts.taken,
    ...(facts.tunnels === undefined ? {} : { tunnels: facts.tunnels }),
  };
}

/** Our own proxy opened its ports before the agent had got this far. */
function carries({ proxy, inboundFault }: AgentFacts): boolean {
  return proxy.kind !== 'envoy' || (proxy.state === 'live' && inboundFault === undefined);
}

function stagesOf({ identity, registration, reach, feed, verdicts }: AgentFacts): StageVerdict[] {
  const state = identity?.status();
  const attested: StageVerdict = {
    stage: 'attested',
    ok: state !== undefined && state.state !== 'expired',
    reason: attestedReason(identity),
  };
  const registered: StageVerdict = {
    stage: 'registered',
    ok: registration?.state === 'registered',
    reason: registration === undefined ? 'not attested yet' : (registration.lastError ?? registration.state),
  };
  const from = feed?.from() ?? 'nothing';
  const synced: StageVerdict = {
    stage: 'synced',
    ok: from !== 'nothing',
    reason: {
      'control-plane':
        feed?.status().state === 'connected' ? 'fed by the control plane' : 'as the control plane said last: there is no stream to it',
      disk: 'from disk: no control plane has answered yet',
      nothing: 'nothing is known of the mesh',
    }[from],
  };
  const ill = verdicts.filter(({ state: { verdict } }) => verdict !== 'healthy');
  const healthy: StageVerdict = {
    stage: 'healthy',
    ok: ill.length === 0,
    reason:
      ill.length === 0 ? 'all services pass' : ill.map(({ namespace, name, state: s }) => `${namespace}/${name}: ${s.reason}`).join('; '),
  };
  return [attested, registered, synced, healthy, ...reachable(reach)];
}

function attestedReason(identity: ObtainedIdentity | undefined): string {
  if (identity === undefined) return 'waiting for the control plane to redeem the token';
  const { state, lastError } = identity.status();
  const failure = lastError === undefined ? '' : `: ${lastError}`;
  if (state !== 'expired') return lastError === undefined ? `the identity is ${state}` : `renewing does not succeed yet${failure}`;
  const ended = new Date(identity.current().notAfter).toISOString();
  return `the SVID ended at ${ended}, so that nobody is called or served over new connections; renewing does not succeed${failure}`;
}

/** Nothing is said before the control plane has looked, nor where it cannot. */
function reachable(reach: AgentFacts['reach']): StageVerdict[] {
  if (reach === undefined || reach.state === 'unknown') return [];
  return [{ stage: 'reachable', ok: reach.state === 'proven', reason: reach.reason }];
}

function describeIdentity({ options, source }: OpenIdentity): AgentStatus['identities'][number] {
  const { cluster: _, ...identity } = identityOf(source);
  const services = options.services.map(({ namespace, name }) => `${namespace}/${name}`);
  return { name: options.name, ...identity, selectors: selectorsText(options.selectors), services };
}

function identityOf(identity: ObtainedIdentity): NonNullable<AgentStatus['identity']> {
  const { spiffeId, cluster, notAfter } = identity.current();
  const { state, lastError } = identity.status();
  return {
    spiffeId: formatSpiffeId(spiffeId),
    cluster,
    notAfter: new Date(notAfter).toISOString(),
    state,
    ...(lastError === undefined ? {} : { lastError }),
  };
}

function dataOf(feed: StateFeed | undefined): AgentStatus['data'] {
  if (feed === undefined) return { from: 'nothing', controlPlane: '', connected: false, streams: 0, rejected: [] };
  const { address, state, types, attempts, lastError } = feed.status();
  const ageMs = feed.ageMs();
  return {
    from: feed.from(),
    ...(ageMs === undefined ? {} : { ageMs }),
    controlPlane: address,
    connected: state === 'connected',
    streams: attempts,
    ...(lastError === undefined ? {} : { lastError: lastError.message }),
    rejected: types.flatMap(({ typeUrl, rejected }) =>
      rejected.map(({ name, reason }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf('.') + 1), name, reason })),
    ),
  };
}

function endpointsOf(state: DataPlaneState | undefined, clusterName: string): number {
  return state?.assignments.get(clusterName)?.endpoints.filter((e) => e.weight > 0 && !e.draining).length ?? 0;
}
