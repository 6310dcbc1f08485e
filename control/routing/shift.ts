import { shiftSubset } from '../../core/config/index.ts';
import { outboundClusterName } from '../../core/model/index.ts';
import type { ClusterRef, Mirror, RouteAction, WeightedDestination } from '../../core/traffic/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { Subset } from './contract.ts';
import type { Lookup } from './lookup.ts';
import type { ShiftObject } from './objects.ts';

/** How one port of a service is shared between the two sides of its TrafficShift. */
export interface Split {
  readonly from: ClusterRef;
  readonly to: ClusterRef;
  /** Of a thousand, to `to`. */
  readonly share: number;
  readonly mirrorPercent: number;
}

/** Where one destination of a rule leads. */
export interface Led {
  readonly destination: ClusterRef;
  /** It names a whole service that is being shifted. */
  readonly split?: Split | undefined;
}

/** Weights are multiples of 0.1 percent, so that shares of a thousand are whole numbers. */
const whole = 1_000;
/** Envoy's, of the weights of one rule together. */
const largestSum = 2 ** 32 - 1;

/** Undefined: nothing of that name is shifted. Of several the first by name counts. */
export function splitOf(service: MergedService, port: number, lookup: Lookup): Split | undefined {
  const shift = lookup.shift(service.key);
  if (shift === undefined) return undefined;
  const host = lookup.canonicalHost(service);
  const ref = (subset: string): ClusterRef => ({ cluster: outboundClusterName({ port, subset, host }) });
  return { from: ref(shiftSubset.from), to: ref(shiftSubset.to), share: shareOf(shift), mirrorPercent: shift.spec.mirrorPercent };
}

function shareOf({ spec }: ShiftObject): number {
  return Math.min(whole, Math.max(0, Math.round(spec.weight * 10)));
}

/**
 * Each destination that is shifted becomes two with its weight between them, the new side first. Weights are never reduced: where a hash
 * decides, what fell to the new side at one weight must fall to it at every higher one, and that takes one sum throughout.
 */
export function splitDestinations(
  all: readonly (Omit<WeightedDestination<ClusterRef>, 'destination'> & { readonly led: Led })[],
): readonly WeightedDestination<ClusterRef>[] {
  if (all.every(({ led }) => led.split === undefined)) return all.map(({ led, ...rest }) => ({ ...rest, destination: led.destination }));
  const parts = all.flatMap(({ led: { destination, split }, ...rest }) => {
    const part = (to: ClusterRef, share: number) => ({ ...rest, destination: to, weight: rest.weight * share });
    if (split === undefined) return [part(destination, whole)];
    const both = [part(split.to, split.share), part(split.from, whole - split.share)];
    return rest.weight === 0 ? both.slice(split.share === whole ? 0 : 1).slice(0, 1) : both.filter(({ weight }) => weight > 0);
  });
  return fitted(parts);
}

/** As many as weigh more than Envoy can add up are scaled down, none of them to nothing. */
function fitted(parts: readonly WeightedDestination<ClusterRef>[]): readonly WeightedDestination<ClusterRef>[] {
  const sum = parts.reduce((total, { weight }) => total + weight, 0);
  if (sum <= largestSum) return parts;
  const most = largestSum - parts.length;
  return parts.map((part) => ({ ...part, weight: part.weight === 0 ? 0 : Math.max(1, Math.floor((part.weight / sum) * most)) }));
}

export type SplitRoute = Pick<RouteAction<ClusterRef>, 'destinations' | 'mirrors' | 'byHash'>;

/** One rule's action, of where its destinations lead. `mirrors`: those that its author asked for. */
export function splitRoute(destinations: Parameters<typeof splitDestinations>[0], mirrors: readonly Mirror<Led>[]): SplitRoute {
  const asked = mirrors.map(({ destination, percent }) => ({ destination: copyTo(destination), percent }));
  const all = destinations.map(({ led }) => led);
  return { destinations: splitDestinations(destinations), mirrors: [...asked, ...shiftMirrors(all)], ...byHash(all) };
}

/** Sessions keep to their side. */
export function byHash(all: readonly Led[]): { readonly byHash?: true } {
  return all.some(({ split }) => split !== undefined) ? { byHash: true } : {};
}

/** As many copies as were asked for and no more: they stay with the old side until it gets no requests either. */
function copyTo({ destination, split }: Led): ClusterRef {
  if (split === undefined) return destination;
  return split.share === whole ? split.to : split.from;
}

/** A rule's copies are of all that it takes, so that one which leads elsewhere too makes none: they would be of requests to others. */
function shiftMirrors(led: readonly Led[]): readonly Mirror<ClusterRef>[] {
  const [first] = led;
  const split = first?.split;
  if (split === undefined || split.mirrorPercent === 0 || split.share === whole) return [];
  if (led.some((each) => each.split?.to.cluster !== split.to.cluster)) return [];
  return [{ destination: split.to, percent: split.mirrorPercent }];
}

/** The two that a shift makes. Whatever holds for the service as a whole holds for either. */
export function shiftSubsets({ spec: { from, to } }: ShiftObject, policies: Subset['policies']): readonly Subset[] {
  return [
    { name: shiftSubset.from, labels: {}, source: { of: from }, policies },
    { name: shiftSubset.to, labels: {}, source: { of: to, but: from }, policies },
  ];
}
