import type { Log } from '../core/log.ts';
import { version } from '../core/version.ts';
import { type EngineChoice, engineFor } from './engine/index.ts';

/** What carries the traffic of a gateway or an agent, as its options say. */
interface Carrier {
  readonly proxy: 'isthmus' | 'envoy' | 'none';
  readonly engine: EngineChoice;
}

/** The first line of its log: what runs, and what will move the bytes. */
export function sayStarting(who: object, { proxy, engine }: Carrier, log: Log): void {
  log.info({ ...who, version, ...(proxy === 'isthmus' ? { engine: engineFor(engine) } : { proxy }) }, 'starting');
}

/** For whoever sees it from elsewhere; nothing where no engine of ours carries its traffic. */
export function engineOf({ proxy, engine }: Carrier): { readonly engine?: string } {
  return proxy === 'isthmus' ? { engine: engineFor(engine).name } : {};
}
