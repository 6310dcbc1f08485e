import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createFileSource, type FileSpec } from '../../../registries/file/index.ts';
import type { RegistryHarness } from './harness.ts';
import { registryContract } from './suite.ts';

interface Instance {
  readonly port: number;
  healthy: boolean;
}

/** A folder that an operator edits: one file a service, replaced by renaming as editors do. */
async function fileHarness(): Promise<RegistryHarness> {
  const root = await mkdtemp(join(tmpdir(), 'isthmus-file-'));
  const path = join(root, 'services');
  await mkdir(path);
  const services = new Map<string, Map<string, Instance>>();
  let saves = 0;
  const rules = {
    namespace: 'default',
    rename: {},
    include: [],
    exclude: [],
    claims: ['*/*'],
    network: 'net-a',
    protocol: 'http',
    serviceAccount: 'default',
    tlsMode: 'none',
    locality: '',
  } as const;
  const spec: FileSpec = { type: 'file', publish: false, rules, connection: { type: 'file', path } };
  const deps = { id: sourceId('file/test'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };

  const save = async (service: string) => {
    const file = join(path, `${service}.yaml`);
    const instances = services.get(service);
    if (instances === undefined || instances.size === 0) return rm(file, { force: true });
    const endpoints = [...instances].map(([id, { port, healthy }]) => ({
      address: '10.0.0.1',
      ports: { http: port },
      labels: { id, ...(healthy ? {} : { 'isthmus.dev/health': 'unhealthy' }) },
    }));
    const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }];
    const object = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: service },
      spec: { hosts: [service], ports, endpoints },
    };
    const next = join(root, `${service}.${saves++}`);
    await writeFile(next, stringify(object));
    await rename(next, file);
  };
  return {
    source: () => createFileSource(spec, deps, { quietMs: 5, rescanMs: 200, backoff: { baseMs: 5, maxMs: 50 } }),
    async register(service, instance, port) {
      const instances = services.get(service) ?? new Map<string, Instance>();
      services.set(service, instances.set(instance, { port, healthy: true }));
      await save(service);
    },
    async deregister(service, instance) {
      services.get(service)?.delete(instance);
      await save(service);
    },
    async setHealth(service, instance, healthy) {
      const found = services.get(service)?.get(instance);
      if (found !== undefined) found.healthy = healthy;
      await save(service);
    },
    breakages: ['refused'],
    break: () => rename(path, `${path}.away`),
    repair: () => rename(`${path}.away`, path),
    bulk: 60,
    stop: () => rm(root, { recursive: true, force: true }),
  };
}

registryContract('file', fileHarness);
