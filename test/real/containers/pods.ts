import type { PodContainer, PodSpec } from '../../support/deploy-files.ts';
import type { ContainerSpec } from './container.ts';

export interface PodPlace {
  readonly netns: string;
  /** By the names that the pod's `volumeMounts` use: folders of this machine. */
  readonly volumes: Readonly<Record<string, string>>;
  /** What the downward API would say, by field path. */
  readonly fields: Readonly<Record<string, string>>;
  /** What a kubelet adds to every container: the service account's token, the API server's address. */
  readonly mounts: ContainerSpec['mounts'];
  readonly env: Readonly<Record<string, string>>;
}

/** One container of a pod, as its kubelet would ask a runtime for it. Throws for what would be missing there too. */
export function podContainer(pod: PodSpec, name: string, place: PodPlace): ContainerSpec {
  const container = [...(pod.initContainers ?? []), ...pod.containers].find((c) => c.name === name);
  if (container === undefined) throw new Error(`the pod has no container ${name}`);
  const env = { ...place.env, ...environmentOf(container, place.fields) };
  const command = [...(container.command ?? ['isthmus']), ...container.args.map((text) => expanded(text, env))];
  const mounts = container.volumeMounts.map((mount) => {
    const from = place.volumes[mount.name];
    if (from === undefined) throw new Error(`there is no volume ${mount.name}`);
    return { from, to: mount.mountPath, readOnly: mount.readOnly === true };
  });
  return { name, image: 'isthmus', command, env, mounts: [...mounts, ...(place.mounts ?? [])], readOnlyRoot: true, netns: place.netns };
}

/** Where a kubelet asks whether the container is well; `undefined` where its port has no such name. */
export function probeUrl(container: PodContainer, probe: 'readinessProbe' | 'livenessProbe', podAddress: string): string | undefined {
  const get = container[probe]?.httpGet;
  const port = container.ports?.find((p) => p.name === get?.port)?.containerPort;
  return get === undefined || port === undefined ? undefined : `http://${get.host ?? podAddress}:${port}${get.path}`;
}

function environmentOf(container: PodContainer, fields: PodPlace['fields']): Record<string, string> {
  const all: Record<string, string> = {};
  for (const { name, value, valueFrom } of container.env ?? []) {
    const path = (valueFrom as { fieldRef?: { fieldPath?: string } } | undefined)?.fieldRef?.fieldPath ?? '';
    const known = value ?? fields[path];
    if (known === undefined) throw new Error(`nothing is known for ${name}`);
    all[name] = known;
  }
  return all;
}

/** Kubernetes leaves a reference to what is not there as it stands, which is never meant here. */
function expanded(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\(([A-Z_]+)\)/g, (whole, name: string) => {
    const value = env[name];
    if (value === undefined) throw new Error(`${whole} is not in the environment`);
    return value;
  });
}
