import { type AccessLogging, type CompiledLogging, compileLogging, isLogged, logAll } from '../../core/access-log/index.ts';
import type { DataPlaneState } from '../state/index.ts';

type Entry = Readonly<Record<string, unknown>>;

/** Writes the entries that the control plane wants written. Until it has said so, and where it says nothing, all of them. */
export function logGate(state: () => DataPlaneState | undefined, write: (entry: Entry) => void): (entry: Entry) => void {
  let rules: AccessLogging = logAll;
  let compiled: CompiledLogging = compileLogging(logAll);
  return (entry) => {
    const [now = logAll] = state()?.telemetry.values() ?? [];
    if (now !== rules) {
      rules = now;
      compiled = compileLogging(now);
    }
    if (isLogged(entry, compiled)) write(entry);
  };
}
