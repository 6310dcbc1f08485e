import { formatViolation, type Violation } from '../validate.ts';
import type { AdapterDeps } from './adapter.ts';

/** Logs what is wrong with a native service when that changes, so that a fault shows once and not with every event. */
export function reportOnChange({ id, log }: Pick<AdapterDeps, 'id' | 'log'>): (native: string, violations: readonly Violation[]) => void {
  const known = new Map<string, string>();
  return (native, violations) => {
    const text = violations.map(formatViolation).join('; ');
    if ((known.get(native) ?? '') === text) return;
    if (text === '') known.delete(native);
    else known.set(native, text);
    log.warn({ source: id, service: native }, text === '' ? 'nothing is wrong with this service any more' : text);
  };
}
