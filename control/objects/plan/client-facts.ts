import { networkId } from '../../../core/model/index.ts';
import type { ClientClass } from '../../snapshot/index.ts';

/** One connected client, as far as it decides what it is told. */
export interface ClientFacts {
  /** SPIFFE-ID#INSTANCE */
  readonly id: string;
  readonly kind: ClientClass['kind'];
  /** `spiffe://...` */
  readonly identity: string;
  readonly cluster: string;
  readonly network: string;
  readonly locality: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** As snapshots are shared. */
export function classOf({ kind, network, locality, labels }: Pick<ClientFacts, 'kind' | 'network' | 'locality' | 'labels'>): ClientClass {
  const base: ClientClass = { kind, network: networkId(network), ...(locality === '' ? {} : { locality }) };
  return kind === 'ingress' ? { ...base, labels } : base;
}

export function classText({ kind, network, locality = '', labels = {} }: ClientClass): string {
  const said = Object.entries(labels)
    .sort()
    .map(([key, value]) => ` ${key}=${value}`);
  return `${kind} on ${network}${locality === '' ? '' : ` ${locality}`}${said.join('')}`;
}
