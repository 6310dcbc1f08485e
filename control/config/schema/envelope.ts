import { z } from 'zod';
import { didYouMean, fields, oneOf } from '../../../core/yaml/index.ts';
import type { KindRow } from '../kinds/row.ts';
import { dnsLabel, textMap } from './fields.ts';

/** Says where an object holds: `mesh`, or `cluster` for that of its owner alone. */
export const scopeAnnotation = 'isthmus.dev/scope';

const ownPrefix = 'isthmus.dev/';
const ownAnnotations = [scopeAnnotation];

/** A key of our own that we do not know would be dropped in silence, and the object would hold where nobody meant it to. */
const annotationsOf = (scope: z.ZodType) =>
  textMap.and(z.looseObject({ [scopeAnnotation]: scope })).superRefine((map, context) => {
    for (const key of Object.keys(map).filter((k) => k.startsWith(ownPrefix) && !ownAnnotations.includes(k))) {
      const message = `unknown annotation${didYouMean(key, ownAnnotations) || `; known are ${ownAnnotations.join(', ')}`}`;
      context.addIssue({ code: 'custom', path: [key], message });
    }
  });

/** What the API server and its controllers write into the metadata of every object; it means nothing here. */
const ofKubernetes = Object.fromEntries(
  [
    'uid',
    'resourceVersion',
    'generation',
    'managedFields',
    'ownerReferences',
    'finalizers',
    'generateName',
    'selfLink',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'clusterName',
  ].map((name) => [name, z.unknown().optional()]),
) as Record<string, z.ZodOptional<z.ZodUnknown>>;

const noScope = z.undefined({ error: 'means nothing for this kind, which belongs to one control plane' });

function scopeSchema(row: KindRow | undefined): z.ZodType {
  if (row === undefined) return z.unknown();
  if (row.scope === undefined) return noScope;
  if (row.fixedScope === undefined) return oneOf('mesh', 'cluster');
  return z.literal(row.scope, { error: `must be ${row.scope}: ${row.fixedScope}` });
}

/** All but the spec. `row`: undefined where the kind is not known, and so nothing that depends on it. */
export function envelopeSchema(row: KindRow | undefined) {
  const scope = scopeSchema(row).optional();
  const annotations = annotationsOf(scope);
  const namespace = row?.namespaceForm ?? dnsLabel;
  const spec = z.looseObject({});
  const optional = row === undefined || row.specOptional === true;
  return fields({
    apiVersion: z.unknown().optional(),
    kind: z.unknown().optional(),
    metadata: fields({
      name: row?.name ?? z.string(),
      namespace: namespace.optional(),
      labels: textMap.optional(),
      annotations: annotations.optional(),
      creationTimestamp: z.iso.datetime({ offset: true, error: 'must be a time such as 2026-01-31T12:00:00Z' }).nullable().optional(),
      ...ofKubernetes,
    }),
    spec: optional ? spec.optional() : spec,
    status: z.unknown().optional(),
  });
}
