import type { ApiObject } from './kubernetes-storage.ts';

/** API objects as the real server would return them, as short as tests want to write them. */

export function service(name: string, options: { namespace?: string; labels?: Record<string, string>; spec?: object } = {}): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: options.namespace ?? 'default', labels: options.labels ?? {} },
    spec: {
      type: 'ClusterIP',
      ipFamilies: ['IPv4'],
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
      ...options.spec,
    },
  };
}

export interface EndpointSketch {
  readonly address: string;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
  readonly pod?: string;
  readonly node?: string;
  readonly zone?: string;
}

export function slice(
  serviceName: string,
  endpoints: readonly EndpointSketch[],
  options: { namespace?: string; name?: string; addressType?: string; ports?: readonly object[]; labels?: Record<string, string> } = {},
): ApiObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: options.name ?? `${serviceName}-1`,
      namespace: options.namespace ?? 'default',
      labels: { 'kubernetes.io/service-name': serviceName, ...options.labels },
    },
    addressType: options.addressType ?? 'IPv4',
    ports: options.ports ?? [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map((e) => ({
      addresses: [e.address],
      conditions: {
        ...(e.ready === undefined ? {} : { ready: e.ready }),
        ...(e.serving === undefined ? {} : { serving: e.serving }),
        ...(e.terminating === undefined ? {} : { terminating: e.terminating }),
      },
      ...(e.pod === undefined ? {} : { targetRef: { kind: 'Pod', name: e.pod, namespace: options.namespace ?? 'default' } }),
      ...(e.node === undefined ? {} : { nodeName: e.node }),
      ...(e.zone === undefined ? {} : { zone: e.zone }),
    })),
  };
}

export function pod(
  name: string,
  options: { namespace?: string; labels?: Record<string, string>; serviceAccount?: string } = {},
): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: options.namespace ?? 'default', labels: options.labels ?? {} },
    spec: { serviceAccountName: options.serviceAccount ?? 'default', containers: [{ name: 'main', image: 'app' }] },
  };
}

export function node(name: string, region: string, zone: string): ApiObject {
  const labels = { 'topology.kubernetes.io/region': region, 'topology.kubernetes.io/zone': zone };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: {} };
}
