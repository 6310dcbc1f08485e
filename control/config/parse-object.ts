import type { ConfigObject, Scope } from '../../core/config/index.ts';
import type { Violation } from '../../core/validate.ts';
import { type ConfigDocument, toViolations, violation } from '../../core/yaml/index.ts';
import { type KindLookup, type KindRow, lookUpKind } from './kinds/index.ts';
import { envelopeSchema, scopeAnnotation } from './schema/envelope.ts';

/** An object and the document it came from, for checks that look at several. What the Mesh gives as default is not filled in yet. */
export interface Located<T extends ConfigObject = ConfigObject> {
  readonly object: T;
  readonly document: ConfigDocument;
}

export interface ParsedObject {
  readonly located?: Located;
  readonly violations: readonly Violation[];
}

/** `control-planes`: a peer, or this one's own store; they have kinds that people do not write. */
export type WrittenBy = 'people' | 'control-planes';

/**
 * Pure. Every mistake of the document at once, with its line. `baseDir`: what relative paths in the document are relative to.
 * What Kubernetes writes into metadata and status is read over, so that objects exported from there need no change.
 */
export function parseObject(document: ConfigDocument, baseDir: string, by: WrittenBy = 'people'): ParsedObject {
  const written = (typeof document.value === 'object' && document.value !== null ? document.value : {}) as Written;
  const lookup = lookUpKind(written.apiVersion, written.kind);
  const { row } = lookup;
  if (row?.derived !== undefined && by === 'people')
    return { violations: [violation(document, ['kind'], `${row.kind} is not for people to write: ${row.derived}`)] };
  const envelope = envelopeSchema(row).safeParse(document.value, { reportInput: true });
  const violations = [...mistakes(document, lookup), ...toViolations(document, [], envelope.error?.issues ?? [])];
  if (row === undefined) return { violations: inOrder(violations) };
  const raw = written.spec ?? (row.specOptional === true ? {} : undefined);
  // An absent spec has been said already.
  if (raw === undefined || raw === null) return { violations: inOrder(violations) };
  const { name = '', namespace, creationTimestamp, annotations } = envelope.data?.metadata ?? {};
  const place = { name, namespace: row.namespaced ? (namespace ?? 'default') : '' };
  const createdAt = creationTimestamp === undefined || creationTimestamp === null ? 0 : Date.parse(creationTimestamp);
  const spec = row.parse(raw, { baseDir, ...place, createdAt });
  violations.push(...toViolations(document, ['spec'], spec.issues));
  if (violations.length > 0 || envelope.data === undefined || spec.value === undefined) {
    return { violations: inOrder(violations) };
  }
  const object = { kind: row.kind, ...place, ...scopeOf(row, annotations), spec: spec.value } as ConfigObject;
  return { located: { object, document }, violations };
}

interface Written {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly spec?: unknown;
}

function mistakes(document: ConfigDocument, { apiVersion, kind }: KindLookup): Violation[] {
  const found: Violation[] = [];
  if (typeof document.value !== 'object' || document.value === null) return found;
  if (apiVersion !== undefined) found.push(violation(document, ['apiVersion'], apiVersion));
  if (kind !== undefined) found.push(violation(document, ['kind'], kind));
  return found;
}

function inOrder(violations: readonly Violation[]): Violation[] {
  return [...violations].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

/** Kinds of one control plane alone have neither group nor scope. */
function scopeOf(row: KindRow, annotations: Readonly<Record<string, string>> | undefined): { group?: string; scope?: Scope } {
  if (row.scope === undefined) return {};
  const said = annotations?.[scopeAnnotation];
  return { group: row.group, scope: said === 'mesh' || said === 'cluster' ? said : row.scope };
}
