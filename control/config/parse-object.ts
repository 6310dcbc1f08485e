import { z } from 'zod';
import type { ConfigObject, MeshObject, RegistryObject } from '../../core/config/index.ts';
import type { Violation } from '../../core/validate.ts';
import { type ConfigDocument, fields, oneOf, toViolations } from '../../core/yaml/index.ts';
import { accessPolicySchema, peerSchema } from './schema/access.ts';
import { authorizationPolicySchema, toAuthorizationPolicy } from './schema/authorization-policy.ts';
import { dnsLabel, dnsName, textMap } from './schema/fields.ts';
import { meshSchema } from './schema/mesh.ts';
import { exportPolicySchema, registrySchema, registryType } from './schema/registry.ts';

const kinds = ['Mesh', 'Registry', 'ExportPolicy', 'Peer', 'AccessPolicy', 'AuthorizationPolicy'] as const;
type Kind = (typeof kinds)[number];
const namespaced: ReadonlySet<Kind> = new Set(['ExportPolicy', 'AccessPolicy', 'AuthorizationPolicy']);

const ownVersions = ['isthmus.dev/v1alpha1'] as const;
/** One schema under two names. */
const istioVersions = ['security.istio.io/v1', 'security.istio.io/v1beta1'] as const;

/** An object and the document it came from, for checks that look at several. What the Mesh gives as default is not filled in yet. */
export interface Located<T extends ConfigObject = ConfigObject> {
  readonly object: T;
  readonly document: ConfigDocument;
}

export interface ParsedObject {
  readonly located?: Located;
  readonly violations: readonly Violation[];
}

/** `baseDir`: what relative paths in the document are relative to. */
export function parseObject(document: ConfigDocument, baseDir: string): ParsedObject {
  const envelope = envelopeSchema(document.value).safeParse(document.value, { reportInput: true });
  const violations = toViolations(document, [], envelope.error?.issues ?? []);
  const kind = kinds.find((k) => k === (document.value as { kind?: unknown }).kind);
  if (kind === undefined) return { violations };
  const rawSpec = (document.value as { spec?: unknown }).spec;
  // An absent spec has been said already.
  if (rawSpec === undefined || rawSpec === null) return { violations };
  const spec = parseSpec(kind, rawSpec, baseDir);
  violations.push(...toViolations(document, ['spec'], spec.issues));
  if (violations.length > 0 || envelope.data === undefined || spec.value === undefined) return { violations };
  const { name, namespace } = envelope.data.metadata;
  const object = { kind, name, namespace: namespaced.has(kind) ? (namespace ?? 'default') : '', spec: spec.value } as ConfigObject;
  return { located: { object, document }, violations };
}

function envelopeSchema(value: unknown) {
  const kind = (value as { kind?: Kind } | null)?.kind;
  // Names that Kubernetes takes for this kind.
  const istio = kind === 'AuthorizationPolicy';
  const name = istio ? dnsName : dnsLabel;
  const versions: readonly string[] = istio ? istioVersions : ownVersions;
  // An ExportPolicy over every namespace lives in `*`.
  const namespace = kind === 'ExportPolicy' ? z.union([dnsLabel, z.literal('*')], { error: () => 'must be a namespace, or *' }) : dnsLabel;
  return fields({
    apiVersion: z.literal([...versions], { error: (i) => (i.input === undefined ? undefined : `must be ${versions[0]}`) }),
    kind: oneOf(...kinds),
    metadata: fields({ name, namespace: namespace.optional(), labels: textMap.optional(), annotations: textMap.optional() }),
    spec: z.looseObject({}),
  });
}

interface SpecResult {
  readonly value?: unknown;
  readonly issues: readonly z.core.$ZodIssue[];
}

function parseSpec(kind: Kind, raw: unknown, baseDir: string): SpecResult {
  switch (kind) {
    case 'Mesh':
      return convert(meshSchema(baseDir).safeParse(raw, { reportInput: true }), toMesh);
    case 'Registry':
      return parseRegistry(raw, baseDir);
    case 'ExportPolicy':
      return convert(exportPolicySchema.safeParse(raw, { reportInput: true }), (spec) => spec);
    case 'Peer':
      return convert(peerSchema.safeParse(raw, { reportInput: true }), (spec) => spec);
    case 'AccessPolicy':
      return convert(accessPolicySchema.safeParse(raw, { reportInput: true }), (spec) => spec);
    case 'AuthorizationPolicy':
      return convert(authorizationPolicySchema.safeParse(raw, { reportInput: true }), toAuthorizationPolicy);
  }
}

function convert<T>(result: z.ZodSafeParseResult<T>, to: (value: T) => unknown): SpecResult {
  return result.success ? { value: to(result.data), issues: [] } : { issues: result.error.issues };
}

function toMesh(spec: z.output<ReturnType<typeof meshSchema>>): MeshObject['spec'] {
  const { identity, catalog, store } = spec;
  const { rootDir } = identity;
  return {
    ...spec,
    network: spec.network ?? spec.cluster,
    store: store.kind === 'embedded' ? store : { ...defined(store), prefix: store.prefix ?? `isthmus/${spec.cluster}/` },
    identity: { svidTtlMs: identity.svidTtl, intermediateTtlMs: identity.intermediateTtl, ...(rootDir === undefined ? {} : { rootDir }) },
    catalog: { expireAfterMs: catalog.expireAfter, agentTtlMs: catalog.agentTtl },
  };
}

function parseRegistry(raw: unknown, baseDir: string): SpecResult {
  const type = registryType.safeParse((raw as { type?: unknown }).type);
  // Without its type a connection cannot be judged; everything else can.
  const result = registrySchema(baseDir, type.data ?? 'kubernetes').safeParse(raw, { reportInput: true });
  if (!result.success) {
    return { issues: type.success ? result.error.issues : result.error.issues.filter((i) => i.path[0] !== 'connection') };
  }
  const { type: parsed, mapping, publish, connection } = result.data;
  const namespaceFrom = mapping.namespaceFrom ?? (parsed === 'kubernetes' || parsed === 'file' ? 'native' : undefined);
  const rules = { ...mapping, network: mapping.network ?? '', ...(namespaceFrom === undefined ? {} : { namespaceFrom }) };
  const value = { type: parsed, rules, publish, connection: { ...defined(connection), type: parsed } };
  return { value: value as RegistryObject['spec'], issues: [] };
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the keys whose value is undefined. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}
