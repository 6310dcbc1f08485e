import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const here = fileURLToPath(import.meta.url);

/** The repository's root folder, from the source and from what was built alike; ends in a slash. */
export const repositoryRoot = fileURLToPath(new URL(here.includes('/build/test/') ? '../../../' : '../../', import.meta.url));

export function readRepositoryFile(path: string): Promise<string> {
  return readFile(`${repositoryRoot}${path}`, 'utf8');
}

/** What tests read of a Kubernetes object. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: { readonly spec: PodSpec };
    readonly ports?: readonly { readonly port: number; readonly targetPort: string }[];
  };
  readonly rules?: readonly { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] }[];
}

export interface PodSpec {
  readonly initContainers?: readonly PodContainer[];
  readonly containers: readonly PodContainer[];
  readonly hostNetwork?: boolean;
}

export interface PodContainer {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string; readonly host?: string };
}

export const kubernetesManifests = ['rbac', 'control', 'gateway'].map((name) => `deploy/kubernetes/${name}.yaml`);

export async function readManifests(path: string): Promise<Manifest[]> {
  return parseAllDocuments(await readRepositoryFile(path)).map((document) => document.toJS() as Manifest);
}
