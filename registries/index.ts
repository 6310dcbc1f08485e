import type { RegistryObject } from '../core/config/index.ts';
import type { AdapterDeps, NativeNames, ObjectWatch, OwningPublisher, RegistrySource, WatchedKind } from '../core/registry/index.ts';
import { createConsulNativeNames, createConsulPublisher, createConsulSource } from './consul/index.ts';
import { createFileSource } from './file/index.ts';
import {
  createKubernetesNativeNames,
  createKubernetesObjects,
  createKubernetesPublisher,
  createKubernetesSource,
} from './kubernetes/index.ts';
import { createNomadSource } from './nomad/index.ts';

/** The source of a Registry object; undefined for types that no adapter here reads. Opens nothing until it is watched. */
export function createSource(registry: RegistryObject, deps: AdapterDeps): RegistrySource | undefined {
  const { spec } = registry;
  switch (spec.connection.type) {
    case 'consul':
      return createConsulSource({ ...spec, connection: spec.connection }, deps);
    case 'kubernetes':
      return createKubernetesSource({ ...spec, connection: spec.connection }, deps);
    case 'nomad':
      return createNomadSource({ ...spec, connection: spec.connection }, deps);
    case 'file':
      return createFileSource({ ...spec, connection: spec.connection }, deps);
    default:
      return undefined;
  }
}

/**
 * Who writes imported services back into a Registry object's system; undefined where its `publish` is off, or nothing can be
 * registered from outside (Nomad).
 */
export function createPublisher(registry: RegistryObject, deps: AdapterDeps): OwningPublisher | undefined {
  const { spec } = registry;
  if (!spec.publish) return undefined;
  switch (spec.connection.type) {
    case 'consul':
      return createConsulPublisher({ ...spec, connection: spec.connection }, deps);
    case 'kubernetes':
      return createKubernetesPublisher({ ...spec, connection: spec.connection }, deps);
    default:
      return undefined;
  }
}

/** Who switches native names in a Registry object's system, where it is published to; a text: why nobody can, and what to do instead. */
export function createNativeNames(registry: RegistryObject, deps: AdapterDeps): NativeNames | string {
  const { spec } = registry;
  if (!spec.publish && (spec.type === 'consul' || spec.type === 'kubernetes')) return 'it is only read: set publish: true';
  switch (spec.connection.type) {
    case 'consul':
      return createConsulNativeNames({ ...spec, connection: spec.connection }, deps);
    case 'kubernetes':
      return createKubernetesNativeNames({ ...spec, connection: spec.connection }, deps);
    case 'nomad':
      return 'Nomad takes no registrations from outside: name the Consul that callers ask, or leave nativeName out';
    case 'file':
      return 'a folder is only read: change what its callers read, or leave nativeName out';
    default:
      return `names of registries of type ${spec.type} cannot be switched: leave nativeName out`;
  }
}

/** Who reads the objects that a Registry object's system holds; undefined where it is not to be read, or holds none. */
export function createObjectWatch(registry: RegistryObject, kinds: readonly WatchedKind[], deps: AdapterDeps): ObjectWatch | undefined {
  const { objects, connection } = registry.spec;
  if (objects === undefined || connection.type !== 'kubernetes') return undefined;
  return createKubernetesObjects(connection, kinds, deps);
}
