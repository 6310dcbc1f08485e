import { isDnsLabel, meshHost } from '../../core/model/index.ts';

/**
 * The canonical host of the service that a DNS name of the mesh can only mean, `NAME.NAMESPACE.` before one of `suffixes`; undefined for
 * every other name. Pure.
 */
export function serviceHost(name: string, suffixes: readonly string[], canonicalSuffix: string): string | undefined {
  for (const suffix of suffixes) {
    if (!name.endsWith(`.${suffix}`)) continue;
    const labels = name.slice(0, -suffix.length - 1).split('.');
    const [service, namespace] = labels;
    if (labels.length !== 2 || service === undefined || namespace === undefined || !labels.every(isDnsLabel)) continue;
    return meshHost({ name: service, namespace }, canonicalSuffix);
  }
  return undefined;
}
