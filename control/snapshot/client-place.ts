import type { NetworkId } from '../../core/model/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import type { SnapshotInputs } from './inputs.ts';
import type { ClientClass } from './ir.ts';
import type { Place } from './locality-rank.ts';

/** Where the clients of a class are, and what all of their assignments are made from. Not the whole view: it is kept for as long as they are. */
export interface ClientPlace extends Place {
  readonly network: NetworkId;
  readonly view: Pick<CatalogView, 'cluster' | 'gateways'>;
  readonly hostSuffix: string;
  readonly trustDomain: string;
}

export function clientPlace({ network, locality = '', labels }: ClientClass, { view, hostSuffix, trust }: SnapshotInputs): ClientPlace {
  const { cluster, gateways } = view;
  return { network, cluster, locality, labels, view: { cluster, gateways }, hostSuffix, trustDomain: trust.trustDomain };
}
