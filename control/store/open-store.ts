import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { Store } from '../../core/store.ts';
import { openEmbeddedStore } from './embedded.ts';
import { openEtcdStore } from './etcd.ts';

/** The store that the Mesh object names; an embedded one lies in stateDir/store. CONFIG_INVALID when a file of it cannot be read. */
export async function openStore(mesh: Pick<MeshSpec, 'store' | 'stateDir'>, clock: Clock, random: () => number): Promise<Store> {
  const { store, stateDir } = mesh;
  if (store.kind === 'embedded') return openEmbeddedStore({ dir: join(stateDir, 'store'), clock });
  const [ca, cert, key, credential] = await Promise.all([store.caFile, store.certFile, store.keyFile, store.credentialFile].map(read));
  const tls = { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
  const auth = credential === undefined ? {} : { auth: parseCredential(credential) };
  return openEtcdStore({ endpoints: store.endpoints, prefix: store.prefix, tls, ...auth, clock, random });
}

async function read(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    throw new MeshError('CONFIG_INVALID', `spec.store: ${path} cannot be read`, { cause: error });
  }
}

function parseCredential(text: Buffer): { username: string; password: string } {
  const [, username, password] = /^([^:\n]+):([^\n]+)\n?$/.exec(text.toString('utf8')) ?? [];
  if (username === undefined || password === undefined)
    throw new MeshError('CONFIG_INVALID', 'spec.store.credentialFile must hold USER:PASSWORD');
  return { username, password };
}
