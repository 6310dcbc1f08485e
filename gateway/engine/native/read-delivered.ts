import type { Duplex } from 'node:stream';
import type { DeliveredConnection } from '../contract.ts';
import type { NativeDelivered } from './messages.ts';
import { addressOf, connectionId } from './read-report.ts';

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
