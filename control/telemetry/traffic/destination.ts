import type { Destination } from './contract.ts';

export const nowhere: Destination = { namespace: '', name: '', host: '', port: 0, subset: '' };

/** What names of the mesh look like here. */
export interface MeshNames {
  readonly hostSuffix: string;
  isService(namespace: string, name: string): boolean;
}

/** `KIND|PORT|SUBSET|HOST`, as xDS clusters are named. */
export function destinationOf(cluster: string, names: MeshNames): Destination {
  if (cluster === '') return nowhere;
  const [kind = '', port = '', subset = '', host = ''] = cluster.split('|');
  if (!/^(inbound|outbound|local)$/.test(kind) || host === '') return { ...nowhere, host: cluster };
  const number = Number(port);
  // `gateway` is how a gateway is asked to be the mTLS end, not a subset of the service.
  const own = subset === 'gateway' ? '' : subset.replace(/^gateway_/, '');
  return { ...serviceOf(host, names), host, port: Number.isInteger(number) ? number : 0, subset: own };
}

function serviceOf(host: string, { hostSuffix, isService }: MeshNames): { readonly namespace: string; readonly name: string } {
  const [name = '', namespace = '', ...rest] = host.split('.');
  const suffix = rest.join('.');
  const ours = suffix === '' || suffix === hostSuffix || suffix === 'svc.clusterset.local';
  return ours && isService(namespace, name) ? { namespace, name } : { namespace: '', name: '' };
}
