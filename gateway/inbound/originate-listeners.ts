import type { EngineListenerSpec } from '../engine/index.ts';
import type { DataPlaneState } from '../state/index.ts';

/** The gateway ports of imported services. Pure. */
export function originateListeners({ listeners }: DataPlaneState, address: string): EngineListenerSpec[] {
  return [...listeners.values()].flatMap((each) =>
    each.kind === 'originate' ? [{ name: each.name, address, port: each.port, kind: 'plain' as const }] : [],
  );
}
