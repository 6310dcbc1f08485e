import { formatDuration } from '../../core/duration.ts';
import type { RegisteredInstance, RegisteredTunnel, RegisteredWorkload } from '../../registries/vm/index.ts';
import { withheldFor } from '../../registries/vm/index.ts';
import type { Grant } from '../ca/index.ts';

export type StageName = 'attested' | 'registered' | 'healthy' | 'selectable' | 'reachable';

export interface Stage {
  readonly stage: StageName;
  /** `none`: the question does not arise. */
  readonly ok: 'yes' | 'no' | 'unknown' | 'none';
  readonly reason: string;
  /** What to do; absent where nothing need be done. */
  readonly next?: string;
}

/** What callers are given of one service of an instance. */
export type Placement =
  | { readonly state: 'given' }
  /** With why they are given none of it. */
  | { readonly state: 'missing' | 'shadowed' | 'withheld' | 'stale' | 'weightless'; readonly reason: string };

export interface StageInput {
  /** Undefined: it was forgotten, or is of a control plane that kept no ledger. */
  readonly grant: Grant | undefined;
  /** Undefined: it has not registered. */
  readonly record: RegisteredInstance | undefined;
  /** Why its last registration was refused. Undefined: none was, as far as this control plane knows. */
  readonly refused?: string | undefined;
  /** Silent for so long it is forgotten. Undefined: it has not registered. */
  readonly expireAfterMs: number | undefined;
  /** Of each of its services, NAMESPACE/NAME; for a gateway, of itself. */
  readonly placements: readonly (readonly [service: string, placement: Placement])[];
  /** Unix ms. */
  readonly now: number;
}

const refusedNext =
  'correct its isthmus vm join, or make a token that covers it; where another machine has its name, vm join --reset-identity --instance NAME';
const silent = 'look at its agent: isthmus vm status on that machine, or the log of its unit';

/** All five, in order. Each says what holds by itself: how far an instance has come is the last before the first that does not. Pure. */
export function stagesOf(input: StageInput): readonly Stage[] {
  return [attested(input), registered(input), healthy(input), selectable(input), reachable(input)];
}

function attested({ grant, now }: StageInput): Stage {
  const stage = 'attested';
  if (grant === undefined) return { stage, ok: 'unknown', reason: 'nothing is known of how it attested' };
  const proof = `by ${grant.attestor}`;
  if (grant.revoked)
    return { stage, ok: 'no', reason: 'it was revoked', next: 'if it is to come back: isthmus vm token, and join with it' };
  if (grant.lastNotAfter > now) return { stage, ok: 'yes', reason: `${proof}, until ${new Date(grant.lastNotAfter).toISOString()}` };
  if (grant.lastNotAfter === 0) return { stage, ok: 'no', reason: `${proof}, but no SVID was issued yet`, next: silent };
  return { stage, ok: 'no', reason: `its SVID ended at ${new Date(grant.lastNotAfter).toISOString()}`, next: silent };
}

function registered({ grant, record, refused, expireAfterMs = 0 }: StageInput): Stage {
  const stage = 'registered';
  if (refused !== undefined && (record === undefined || record.expired))
    return { stage, ok: 'no', reason: `its registration was refused: ${refused}`, next: refusedNext };
  if (record !== undefined) {
    if (record.expired)
      return { stage, ok: 'no', reason: `its agent is silent: forgotten after ${formatDuration(expireAfterMs)} of it`, next: silent };
    return { stage, ok: 'yes', reason: `generation ${record.generation}` };
  }
  const callsOnly = grant?.claims.role === 'workload' && grant.claims.services.length === 0;
  if (callsOnly) return { stage, ok: 'none', reason: 'its token names no service: it only calls' };
  return { stage, ok: 'no', reason: 'it has not registered, or has left', next: silent };
}

function healthy({ record }: StageInput): Stage {
  const stage = 'healthy';
  if (record === undefined) return { stage, ok: 'unknown', reason: 'nobody has said' };
  if (record.draining) return { stage, ok: 'no', reason: 'draining' };
  if (record.role === 'gateway') return { stage, ok: 'yes', reason: 'its process says so' };
  if (record.services.length === 0) return { stage, ok: 'none', reason: 'it serves nothing' };
  const sick = record.services.find((service) => service.healthy === false);
  if (sick !== undefined)
    return {
      stage,
      ok: 'no',
      reason: `${sick.namespace}/${sick.name}: ${sick.reason || 'its check fails'}`,
      next: 'see isthmus vm status on that machine',
    };
  const unheard = record.services.find((service) => service.healthy === undefined);
  if (unheard !== undefined) return { stage, ok: 'unknown', reason: `${unheard.namespace}/${unheard.name}: not reported yet` };
  return { stage, ok: 'yes', reason: 'its checks pass' };
}

function selectable({ record, placements }: StageInput): Stage {
  const stage = 'selectable';
  if (record === undefined) return { stage, ok: 'no', reason: 'callers are given no endpoint of it' };
  if (placements.length === 0) return { stage, ok: 'none', reason: 'it serves nothing' };
  const held = record.role === 'workload' ? withheldFor(record) : undefined;
  if (held !== undefined)
    return {
      stage,
      ok: 'no',
      reason: held,
      next: 'open its inbound port to the control plane, or register the address that it is seen from',
    };
  for (const [service, placement] of placements) {
    if (placement.state === 'given') continue;
    return { stage, ok: 'no', reason: `${service}: ${placement.reason}`, ...nextOf(placement.state) };
  }
  if (record.draining) return { stage, ok: 'no', reason: 'draining: new connections go elsewhere' };
  if (record.role === 'workload' && record.services.some((service) => service.healthy === false))
    return { stage, ok: 'no', reason: 'callers choose it only while nobody is healthy' };
  return { stage, ok: 'yes', reason: 'callers are given it' };
}

function nextOf(state: Placement['state']): { readonly next?: string } {
  if (state === 'withheld') return { next: 'see the conflicts in isthmus status' };
  if (state === 'shadowed') return { next: 'remove the other registration, or give it another port' };
  if (state === 'weightless') return { next: 'see the weight in its WorkloadGroup, or the migration that moves it' };
  return {};
}

function reachable({ record }: StageInput): Stage {
  const stage = 'reachable';
  if (record === undefined) return { stage, ok: 'unknown', reason: 'nowhere to look' };
  if (record.role === 'gateway') return { stage, ok: 'none', reason: 'gateways are not connected back to' };
  if (record.services.length === 0) return { stage, ok: 'none', reason: 'it serves nothing' };
  if (record.expired) return { stage, ok: 'unknown', reason: 'its agent is silent: what was found of its address was before that' };
  return record.tunnel === undefined ? reachOf(record) : throughTunnels(record.tunnel);
}

function throughTunnels({ gateways }: RegisteredTunnel): Stage {
  const stage = 'reachable';
  if (gateways.length > 0) return { stage, ok: 'yes', reason: `through its tunnels to ${gateways.join(', ')}` };
  const next = 'see isthmus vm status on that machine: it has to reach a gateway of this cluster that takes tunnels';
  return { stage, ok: 'no', reason: 'it is behind a NAT, and has no tunnel to a gateway', next };
}

function reachOf({ reach, addresses, inboundPort }: RegisteredWorkload): Stage {
  const stage = 'reachable';
  if (reach === undefined) return { stage, ok: 'unknown', reason: 'not looked at yet' };
  const where = `${addresses[0]}:${inboundPort}`;
  const since = `since ${new Date(reach.at).toISOString()}`;
  switch (reach.state) {
    case 'proven':
      return { stage, ok: 'yes', reason: `${reach.reason}, ${since}` };
    case 'unknown':
      return { stage, ok: 'unknown', reason: reach.reason };
    case 'refused':
      return {
        stage,
        ok: 'no',
        reason: `${where}: ${reach.reason}`,
        next: `open port ${inboundPort} of that machine to its callers and the control plane`,
      };
    case 'other':
      return {
        stage,
        ok: 'no',
        reason: `${where}: ${reach.reason}`,
        next: 'somebody else has this address: correct --address, or revoke it with isthmus vm revoke',
      };
  }
}
