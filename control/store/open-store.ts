import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import type { Store } from '../../core/store.ts';
import { openEmbeddedStore } from './embedded.ts';

/** The store that the Mesh object names; an embedded one lies in stateDir/store. */
export async function openStore(mesh: Pick<MeshSpec, 'store' | 'stateDir'>, clock: Clock): Promise<Store> {
  return openEmbeddedStore({ dir: join(mesh.stateDir, 'store'), clock });
}
