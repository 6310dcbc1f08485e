import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { until } from '../../support/until.ts';
import { type CrdSet, customResourceDefinitions } from '../servers/crds.ts';
import { type Host, inNamespace, type RunningKubernetes } from '../servers/index.ts';

/** A Kubernetes as its people use it: with kubectl. */
export class Cluster {
  readonly #kubernetes: RunningKubernetes;
  readonly #host: Host;

  constructor(kubernetes: RunningKubernetes, host: Host) {
    this.#kubernetes = kubernetes;
    this.#host = host;
  }

  /** Rejects with what it said when it fails. */
  kubectl(args: readonly string[], input = ''): Promise<string> {
    const { kubectl, kubeconfig } = this.#kubernetes;
    const [command, all] = inNamespace(this.#host.netns, kubectl, ['--kubeconfig', kubeconfig, ...args]);
    return new Promise((resolve, reject) => {
      const child = execFile(command, all, { timeout: 60_000 }, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(`kubectl ${args.join(' ')}: ${stderr}`)),
      );
      child.stdin?.end(input);
    });
  }

  /** What the account of that name in isthmus-system may do, and no more. */
  async kubeconfigOf(account: string): Promise<string> {
    const token = (await this.kubectl(['create', 'token', account, '--namespace', 'isthmus-system'])).trim();
    const { kubeconfig, apiserver } = this.#kubernetes;
    const config = JSON.parse(await readFile(kubeconfig, 'utf8')) as { users: unknown };
    const file = join(apiserver.folder, `${account}.kubeconfig`);
    await writeFile(file, JSON.stringify({ ...config, users: [{ name: 'admin', user: { token } }] }), { mode: 0o600 });
    return file;
  }

  async apply(yaml: string): Promise<void> {
    await this.kubectl(['apply', '-f', '-'], yaml);
  }

  /** With the namespaces that the documents name; how many objects there are. */
  async applyAll(yaml: string): Promise<number> {
    const objects = parseAllDocuments(yaml).map((d) => d.toJS() as { metadata: { namespace?: string } } | null);
    for (const namespace of new Set(objects.map((o) => o?.metadata.namespace ?? 'default'))) {
      await this.#kubernetes.api.ensureNamespace(namespace);
    }
    await this.apply(yaml);
    return objects.filter((o) => o !== null).length;
  }

  /** The definitions that a project publishes; resolves when all of their kinds are served. */
  async install(set: CrdSet): Promise<void> {
    const { api } = this.#kubernetes;
    const definitions = await customResourceDefinitions(set);
    for (const definition of definitions) await api.apply({ ...definition } as Record<string, unknown>);
    for (const { spec } of definitions) {
      const [version] = spec.versions;
      const path = `/apis/${spec.group}/${version?.name}/${spec.names.plural}?limit=1`;
      await until(`the API serves ${path}`, () => api.get(path));
    }
  }
}
