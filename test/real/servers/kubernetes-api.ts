import { setTimeout as delay } from 'node:timers/promises';
import type { HttpReply } from './http-request.ts';
import type { Reach } from './reach.ts';

/** An object as the API returns it; only what every object has is typed. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly resourceVersion?: string };
  readonly [field: string]: unknown;
}

/** A process that plays a pod: what a kubelet would report of it. */
export interface PodProcess {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Address at which the process answers; never loopback where kube-controller-manager is to make EndpointSlices of it. */
  readonly ip: string;
  readonly serviceAccount?: string;
  /** Node that it claims to run on; made, with `zone`, where it does not exist. */
  readonly node?: string;
  readonly ready?: boolean;
}

export interface EndpointSliceSpec {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly { readonly ip: string; readonly ready?: boolean; readonly pod?: string }[];
}

/** The API server as an admin sees it. All reject on any status but 2xx, except where said. */
export interface KubernetesApi {
  call(method: string, path: string, body?: unknown): Promise<HttpReply>;
  /** Undefined where there is no such object. */
  get(path: string): Promise<KubernetesObject | undefined>;
  /** The objects of a list, e.g. of `/api/v1/namespaces/shop/services`. */
  list(path: string): Promise<readonly KubernetesObject[]>;
  /** Creates or replaces an object at its server-side-apply path, with this test as field manager. Returns what is stored. */
  apply(object: Record<string, unknown>): Promise<KubernetesObject>;
  /** Removes at once, without grace: no kubelet would confirm the end of a pod. What is not there is no error. */
  remove(path: string): Promise<void>;
  /** Makes the namespace and waits for its default service account, without which no pod can be made. */
  ensureNamespace(name: string): Promise<void>;
  /** Makes or updates a pod that runs, with the given readiness; and its node and service account. */
  writePod(pod: PodProcess): Promise<void>;
  /** Makes or replaces an EndpointSlice that no controller manages, for a Service without selector. */
  writeEndpointSlice(slice: EndpointSliceSpec): Promise<void>;
}

/** Plural resource names of the kinds that tests apply. */
const PLURALS: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  Node: 'nodes',
  Pod: 'pods',
  Service: 'services',
  ServiceAccount: 'serviceaccounts',
  ConfigMap: 'configmaps',
  Secret: 'secrets',
  Endpoints: 'endpoints',
  EndpointSlice: 'endpointslices',
  Deployment: 'deployments',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  CustomResourceDefinition: 'customresourcedefinitions',
};

export function kubernetesApi(reach: Reach, url: string, token: string, ca: string): KubernetesApi {
  const send = (method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<HttpReply> => {
    const headers: Record<string, string> = { authorization: `Bearer ${token}`, accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = contentType;
    return reach.request({ url: `${url}${path}`, method, ca, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  };
  const checked = (method: string, path: string, reply: HttpReply): HttpReply => {
    if (reply.status >= 200 && reply.status < 300) return reply;
    throw new Error(`kubernetes: ${method} ${path} answered ${reply.status}: ${reply.body}`);
  };
  const call = async (method: string, path: string, body?: unknown): Promise<HttpReply> =>
    checked(method, path, await send(method, path, body));
  const get = async (path: string): Promise<KubernetesObject | undefined> => {
    const reply = await send('GET', path);
    return reply.status === 404 ? undefined : (JSON.parse(checked('GET', path, reply).body) as KubernetesObject);
  };
  const apply = async (object: Record<string, unknown>, subresource = ''): Promise<KubernetesObject> => {
    const path = `${objectPath(object)}${subresource}?fieldManager=isthmus-test&force=true`;
    const reply = await send('PATCH', path, object, 'application/apply-patch+yaml');
    return JSON.parse(checked('PATCH', path, reply).body) as KubernetesObject;
  };
  const ensureNamespace = async (name: string): Promise<void> => {
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await untilPresent(`/api/v1/namespaces/${name}/serviceaccounts/default`, get);
  };
  return {
    call,
    get,
    apply: (object) => apply(object),
    list: async (path) => (JSON.parse((await call('GET', path)).body) as { items: KubernetesObject[] }).items,
    remove: async (path) => {
      const reply = await send('DELETE', path, { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 });
      if (reply.status !== 404) checked('DELETE', path, reply);
    },
    ensureNamespace,
    writePod: async (pod) => {
      await ensureNamespace(pod.namespace);
      for (const object of podPrerequisites(pod)) await apply(object);
      await apply(podObject(pod));
      await apply(podStatus(pod), '/status');
    },
    writeEndpointSlice: async (slice) => {
      await apply(endpointSliceObject(slice));
    },
  };
}

/** The path of one object, from its kind and metadata. */
function objectPath(object: Record<string, unknown>): string {
  const { apiVersion, kind, metadata } = object as unknown as KubernetesObject;
  const plural = PLURALS[kind];
  if (plural === undefined) throw new Error(`add the plural name of ${kind} to PLURALS`);
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
  return `${base}${scope}/${plural}/${metadata.name}`;
}

async function untilPresent(path: string, get: KubernetesApi['get']): Promise<void> {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; ) {
    if ((await get(path)) !== undefined) return;
    await delay(20);
  }
  throw new Error(`${path} did not appear in 30 s; is kube-controller-manager running?`);
}

function podPrerequisites(pod: PodProcess): Record<string, unknown>[] {
  const name = pod.serviceAccount ?? 'default';
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: pod.namespace } },
    { apiVersion: 'v1', kind: 'Node', metadata: { name: pod.node ?? 'node-1' } },
  ];
}

function podObject(pod: PodProcess): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: pod.name, namespace: pod.namespace, labels: pod.labels },
    spec: {
      nodeName: pod.node ?? 'node-1',
      serviceAccountName: pod.serviceAccount ?? 'default',
      containers: [{ name: 'main', image: 'played-by-the-test' }],
    },
  };
}

function podStatus(pod: PodProcess): Record<string, unknown> {
  const status = pod.ready === false ? 'False' : 'True';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: pod.name, namespace: pod.namespace },
    status: {
      phase: 'Running',
      podIP: pod.ip,
      podIPs: [{ ip: pod.ip }],
      conditions: [{ type: 'Ready', status, lastTransitionTime: new Date().toISOString() }],
    },
  };
}

function endpointSliceObject(slice: EndpointSliceSpec): Record<string, unknown> {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: slice.name,
      namespace: slice.namespace,
      labels: { 'kubernetes.io/service-name': slice.service, 'endpointslice.kubernetes.io/managed-by': 'isthmus-test' },
    },
    addressType: 'IPv4',
    ports: slice.ports.map(({ name, port }) => ({ name, port, protocol: 'TCP' })),
    endpoints: slice.endpoints.map(({ ip, ready, pod }) => ({
      addresses: [ip],
      conditions: { ready: ready ?? true, serving: ready ?? true, terminating: false },
      ...(pod === undefined ? {} : { targetRef: { kind: 'Pod', name: pod, namespace: slice.namespace } }),
    })),
  };
}
