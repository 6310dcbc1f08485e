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

/** As snapshots are shared. `apart`: whether rules make a difference between callers of a namespace and others. */
export function classOf(client: ClientFacts, apart: (namespace: string) => boolean): ClientClass {
  const { kind, network, locality, labels } = client;
  const namespace = namespaceOf(client);
  const base: ClientClass = {
    kind,
    network: networkId(network),
    ...(locality === '' ? {} : { locality }),
    ...(apart(namespace) ? { namespace } : {}),
  };
  return kind === 'ingress' ? { ...base, labels } : base;
}

export function namespaceOf({ identity }: Pick<ClientFacts, 'identity'>): string {
  const [, namespace = ''] = /\/ns\/([^/]+)\/sa\//.exec(identity) ?? [];
  return namespace;
}

export function classText({ kind, network, locality = '', namespace, labels = {} }: ClientClass): string {
  const said = Object.entries(labels)
    .sort()
    .map(([key, value]) => ` ${key}=${value}`);
  const near = `${network}${locality === '' ? '' : ` ${locality}`}`;
  return `${kind} on ${near}${namespace === undefined ? '' : ` of namespace ${namespace}`}${said.join('')}`;
}
