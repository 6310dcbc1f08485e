import type { NativeObject, WatchedKind } from '../../../core/registry/index.ts';

const gatewayApi = 'gateway.networking.k8s.io';

export const kinds = {
  VirtualService: { group: 'networking.istio.io', kind: 'VirtualService', versions: ['v1'] },
  Gateway: { group: gatewayApi, kind: 'Gateway', versions: ['v1'] },
  HTTPRoute: { group: gatewayApi, kind: 'HTTPRoute', versions: ['v1'] },
} as const satisfies Readonly<Record<string, WatchedKind>>;

/** `NAMESPACE/NAME`, as a watch hands it on. */
export function native(
  kind: keyof typeof kinds,
  id: string,
  spec: object = {},
  labels: Readonly<Record<string, string>> = {},
  createdAt = 1_000,
): NativeObject {
  const [namespace = '', name = ''] = id.split('/');
  const { group } = kinds[kind];
  const metadata = { namespace, name, ...(Object.keys(labels).length === 0 ? {} : { labels }) };
  return { namespace, name, createdAt, document: { apiVersion: `${group}/v1`, kind, metadata, spec } };
}

export const virtualService = (id: string, status: number, createdAt?: number) =>
  native('VirtualService', id, { hosts: ['orders'], http: [{ directResponse: { status } }] }, {}, createdAt);
/** Refused: its host is none. */
export const wrongService = (id: string) => native('VirtualService', id, { hosts: ['a.*.b'], http: [{ directResponse: { status: 200 } }] });
export const gateway = (id: string, gatewayClassName = 'isthmus') =>
  native('Gateway', id, { gatewayClassName, listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] });
export const httpRoute = (id: string, ...parents: string[]) =>
  native('HTTPRoute', id, {
    parentRefs: parents.map((name) => ({ name })),
    rules: [{ backendRefs: [{ name: 'orders', port: 80 }] }],
  });
