import { createHash } from 'node:crypto';
import type { MigrationSpec } from '../../../core/config/index.ts';

/** Equal for equal specs, whatever the order of their keys. */
export function specDigest(spec: MigrationSpec): string {
  const sorted = (_key: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return createHash('sha256').update(JSON.stringify(spec, sorted)).digest('hex').slice(0, 16);
}
