import type { Duplex } from 'node:stream';
import type { ConnectionEnds, DeliveredConnection } from '../contract.ts';
import type { NativeDelivered, NativeHanded } from './messages.ts';
import { addressOf, connectionId } from './read-report.ts';

/** Between whom it is by its PROXY header; undefined: it had none, as its socket says. */
export function endsOf(told: NativeHanded['told']): ConnectionEnds | undefined {
  const [source, destination] = told ?? [];
  if (source === undefined || destination === undefined) return undefined;
  return { source: addressOf(source), destination: addressOf(destination) };
}

/** What the crate delivers, in the contract's words. Pure. */
export function readDelivered(event: NativeDelivered, socket: Duplex): DeliveredConnection {
  const { number, listener, cluster, protocol, nameless, sni, alpn, tlsVersion, peer, end, denied, source, destination } = event;
  return {
    ...{ socket, id: connectionId(number), listener, clusterName: cluster, protocol, sni, alpn, tlsVersion, peer, end },
    ...(nameless ? { nameless } : {}),
    ...(denied === null ? {} : { denied }),
    ...{ source: addressOf(source), destination: addressOf(destination ?? '') },
  };
}
