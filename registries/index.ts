import type { RegistryObject } from '../core/config/index.ts';
import type { AdapterDeps, RegistrySource } from '../core/registry/index.ts';
import { createConsulSource } from './consul/index.ts';

/** The source of a Registry object; undefined for types that no adapter here reads. Opens nothing until it is watched. */
export function createSource(registry: RegistryObject, deps: AdapterDeps): RegistrySource | undefined {
  const { spec } = registry;
  switch (spec.connection.type) {
    case 'consul':
      return createConsulSource({ ...spec, connection: spec.connection }, deps);
    default:
      return undefined;
  }
}
