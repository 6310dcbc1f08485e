import { z } from 'zod';

/** Of a workload, by key. */
export type Labels = Readonly<Record<string, string>>;

const mostLabels = 64;
/** As Kubernetes has them: PREFIX/NAME, and values of at most 63 characters. */
const namePart = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const prefixPart = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

function isKey(key: string): boolean {
  const slash = key.lastIndexOf('/');
  return namePart.test(key.slice(slash + 1)) && (slash < 0 || prefixPart.test(key.slice(0, slash)));
}

const isValue = (value: string) => value === '' || namePart.test(value);

/** What may be said of them in a node: the first 64 that are of Kubernetes' form, in the order of their keys. */
export function sayableLabels(labels: Labels): Labels {
  const fit = Object.entries(labels).filter(([key, value]) => isKey(key) && isValue(value));
  return Object.fromEntries(fit.sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, mostLabels));
}

/** `node.metadata.labels`, in the order of their keys. */
export const labelsSchema = z
  .record(
    z.string().refine(isKey, { error: 'a key is [PREFIX/]NAME, NAME at most 63 letters, digits and . _ -' }),
    z.string().refine(isValue, { error: 'a value has at most 63 letters, digits and . _ -' }),
  )
  .refine((labels) => Object.keys(labels).length <= mostLabels, { error: `there are at most ${mostLabels} labels` })
  .default({})
  .transform(sayableLabels);
