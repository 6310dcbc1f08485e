import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

/** OpenAPI v3 as CRDs use it; only what a test here reads. */
export interface CrdSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, CrdSchema>>;
  readonly items?: CrdSchema;
  readonly additionalProperties?: CrdSchema | boolean;
}

export interface CustomResourceDefinition {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly scope: 'Namespaced' | 'Cluster';
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: CrdSchema } }[];
  };
}

export type CrdSet = 'istio' | 'gateway-api' | 'mcs-api';

/** Where each project publishes its definitions: a file, or every YAML file of a folder. */
const modules: Readonly<Record<CrdSet, { readonly module: string; readonly version: string; readonly path: string }>> = {
  istio: { module: 'istio.io/api', version: 'v1.31.1', path: 'kubernetes/customresourcedefinitions.gen.yaml' },
  'gateway-api': { module: 'sigs.k8s.io/gateway-api', version: 'v1.6.0', path: 'config/crd/experimental' },
  'mcs-api': { module: 'sigs.k8s.io/mcs-api', version: 'v0.5.2', path: 'config/crd' },
};

/**
 * The custom resource definitions as their project publishes them, from its Go module: Go checks the module's sum and keeps it in
 * its cache. Rejects, with what Go said, when it cannot be had.
 */
export async function customResourceDefinitions(set: CrdSet): Promise<readonly CustomResourceDefinition[]> {
  const { module, version, path } = modules[set];
  const place = join(await download(`${module}@${version}`), path);
  const files = path.endsWith('.yaml') ? [place] : (await readdir(place)).filter((f) => f.endsWith('.yaml')).map((f) => join(place, f));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const documents = texts.flatMap((text) => parseAllDocuments(text)).map((document) => document.toJS() as { kind?: string } | null);
  return documents.filter((d): d is CustomResourceDefinition & { kind: string } => d?.kind === 'CustomResourceDefinition');
}

async function download(module: string): Promise<string> {
  const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=mod', GOWORK: 'off' };
  // Outside the repository, so that no go.mod has a say.
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], { cwd: tmpdir(), env, timeout: 300_000 });
  const { Dir } = JSON.parse(stdout) as { Dir?: string };
  if (Dir === undefined) throw new Error(`go mod download ${module} named no folder: ${stdout}`);
  return Dir;
}
