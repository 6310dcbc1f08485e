import { formatSpiffeId } from '../../core/model/index.ts';
import type { ClientKind, DialectName } from '../../core/xds/index.ts';
import type { StreamStatus } from '../../core/xds/server/index.ts';
import type { ClientFacts } from './caller.ts';

/** One connected client, for `isthmus status`. */
export interface XdsClientStatus extends StreamStatus {
  /** SPIFFE-ID#INSTANCE */
  readonly id: string;
  readonly dialect: DialectName;
  readonly kind: ClientKind;
  readonly identity: string;
  readonly instance: string;
  readonly network: string;
  readonly version: string;
}

export function clientStatus({ client, ...stream }: StreamStatus & { readonly client: ClientFacts }): XdsClientStatus {
  const { id, dialect, kind, identity, instance, network, version } = client;
  return { ...stream, id, dialect, kind, identity: formatSpiffeId(identity), instance, network, version };
}
