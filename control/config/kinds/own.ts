import { z } from 'zod';
import type { MeshObject, RegistryObject } from '../../../core/config/index.ts';
import { accessPolicySchema, peerSchema } from '../schema/access.ts';
import { attestationPolicySchema, rulesOfPlace, toAttestationPolicy } from '../schema/attestation/attestation-policy.ts';
import { defined } from '../schema/defined.ts';
import { federatedTrustDomainSchema, toFederatedTrustDomain, toFederationServer } from '../schema/federation.ts';
import { dnsLabel, dnsName } from '../schema/fields.ts';
import { healthCheckPolicySchema, toHealthCheckPolicy } from '../schema/health-check-policy.ts';
import { meshSchema } from '../schema/mesh.ts';
import { migrationSchema, toMigration, waitsForItself } from '../schema/migration/migration.ts';
import { trafficShiftSchema } from '../schema/migration/traffic-shift.ts';
import { exportPolicySchema, registrySchema, registryType } from '../schema/registry.ts';
import { type KindRow, kindRow, type SpecContext, type SpecResult } from './row.ts';

const own = { group: 'isthmus.dev', versions: ['v1alpha1'], name: dnsLabel } as const;

/** An ExportPolicy over every namespace lives in `*`. */
const namespaceOrAll = z.union([dnsLabel, z.literal('*')], { error: () => 'must be a namespace, or *' });

/** Those without a scope are of one control plane alone: they come from its files. */
export const ownKinds: readonly KindRow[] = [
  { ...own, kind: 'Mesh', namespaced: false, schema: meshSchema('/'), parse: (raw, { baseDir }) => parseMesh(raw, baseDir) },
  {
    ...own,
    kind: 'Registry',
    namespaced: false,
    schema: registrySchema('/', 'kubernetes'),
    parse: (raw, { baseDir }) => parseRegistry(raw, baseDir),
  },
  kindRow({
    ...own,
    kind: 'ExportPolicy',
    namespaced: true,
    namespaceForm: namespaceOrAll,
    schema: exportPolicySchema,
    to: (spec) => spec,
  }),
  kindRow({ ...own, kind: 'Peer', namespaced: false, schema: peerSchema, to: (spec) => spec }),
  {
    ...own,
    kind: 'FederatedTrustDomain',
    namespaced: false,
    name: dnsName,
    schema: federatedTrustDomainSchema('/'),
    parse: (raw, { baseDir }) => parseFederatedTrustDomain(raw, baseDir),
  },
  kindRow({ ...own, kind: 'AccessPolicy', namespaced: true, schema: accessPolicySchema, to: (spec) => spec }),
  kindRow({
    ...own,
    kind: 'HealthCheckPolicy',
    namespaced: true,
    name: dnsName,
    scope: 'mesh',
    schema: healthCheckPolicySchema,
    to: toHealthCheckPolicy,
  }),
  {
    ...own,
    kind: 'AttestationPolicy',
    namespaced: true,
    name: dnsName,
    scope: 'cluster',
    fixedScope: 'each control plane judges for itself who gets an identity',
    schema: attestationPolicySchema,
    parse: parseAttestationPolicy,
  },
  // One control plane drives it; what callers everywhere follow is the TrafficShift.
  {
    ...own,
    kind: 'Migration',
    namespaced: true,
    name: dnsName,
    scope: 'cluster',
    fixedScope: 'one control plane drives it, and callers everywhere follow by themselves',
    schema: migrationSchema,
    parse: parseMigration,
  },
  kindRow({
    ...own,
    kind: 'TrafficShift',
    namespaced: true,
    name: dnsName,
    scope: 'mesh',
    fixedScope: 'callers everywhere follow it',
    derived: 'it is written by the Migration of the same name',
    schema: trafficShiftSchema,
    to: (spec) => spec,
  }),
];

function parseAttestationPolicy(raw: unknown, context: SpecContext): SpecResult {
  const result = attestationPolicySchema.safeParse(raw, { reportInput: true });
  const issues = [...(result.error?.issues ?? []), ...rulesOfPlace(raw, context)];
  return result.success && issues.length === 0 ? { value: toAttestationPolicy(result.data), issues } : { issues };
}

function parseMigration(raw: unknown, context: SpecContext): SpecResult {
  const result = migrationSchema.safeParse(raw, { reportInput: true });
  const issues = [...(result.error?.issues ?? []), ...waitsForItself(raw, context)];
  return result.success && issues.length === 0 ? { value: toMigration(result.data, context.namespace), issues } : { issues };
}

function parseMesh(raw: unknown, baseDir: string): SpecResult {
  const result = meshSchema(baseDir).safeParse(raw, { reportInput: true });
  return result.success ? { value: toMesh(result.data), issues: [] } : { issues: result.error.issues };
}

function toMesh(spec: z.output<ReturnType<typeof meshSchema>>): MeshObject['spec'] {
  const { identity, catalog, store, federation, ...rest } = spec;
  const { rootDir, signer } = identity;
  return {
    ...rest,
    network: spec.network ?? spec.cluster,
    store: store.kind === 'embedded' ? store : { ...defined(store), prefix: store.prefix ?? `isthmus/${spec.cluster}/` },
    identity: {
      svidTtlMs: identity.svidTtl,
      intermediateTtlMs: identity.intermediateTtl,
      ...(rootDir === undefined ? {} : { rootDir }),
      ...(signer === undefined ? {} : { signer: defined(signer) }),
    },
    catalog: { expireAfterMs: catalog.expireAfter, agentTtlMs: catalog.agentTtl },
    ...(federation === undefined ? {} : { federation: toFederationServer(federation) }),
  };
}

function parseFederatedTrustDomain(raw: unknown, baseDir: string): SpecResult {
  const result = federatedTrustDomainSchema(baseDir).safeParse(raw, { reportInput: true });
  return result.success ? { value: toFederatedTrustDomain(result.data), issues: [] } : { issues: result.error.issues };
}

function parseRegistry(raw: unknown, baseDir: string): SpecResult {
  const type = registryType.safeParse((raw as { type?: unknown }).type);
  // Without its type a connection cannot be judged; everything else can.
  const result = registrySchema(baseDir, type.data ?? 'kubernetes').safeParse(raw, { reportInput: true });
  if (!result.success) {
    return { issues: type.success ? result.error.issues : result.error.issues.filter((i) => i.path[0] !== 'connection') };
  }
  const { type: parsed, mapping, publish, takeover, objects, connection } = result.data;
  const namespaceFrom = mapping.namespaceFrom ?? (parsed === 'kubernetes' || parsed === 'file' ? 'native' : undefined);
  const rules = { ...mapping, network: mapping.network ?? '', ...(namespaceFrom === undefined ? {} : { namespaceFrom }) };
  const read = typeof objects === 'object' ? { objects } : {};
  const value = {
    type: parsed,
    rules,
    publish,
    ...(takeover ? { takeover } : {}),
    ...read,
    connection: { ...defined(connection), type: parsed },
  };
  return { value: value as RegistryObject['spec'], issues: [] };
}
