import { systemClock } from '../core/system-clock.ts';
import { type ControlOptions, startControl } from './assemble/start-control.ts';

export interface RunControlOptions extends Partial<Pick<ControlOptions, 'log'>> {
  /** Files and folders of isthmus.yaml objects. */
  readonly config: readonly string[];
  /** From the signal to the end of the last connection, ms. Default 30 s. */
  readonly drainMs?: number;
  /** Called once it serves. */
  readonly onReady?: (ports: { readonly grpc: number; readonly api: number; readonly health: number }) => void;
}

/** `isthmus control`: runs until `signal` aborts, then drains. SIGHUP reads the configuration again. Rejects with MeshError. */
export async function runControl(options: RunControlOptions, signal: AbortSignal): Promise<void> {
  const { config, drainMs = 30_000, log } = options;
  const control = await startControl({ config, clock: systemClock, random: Math.random, ...(log === undefined ? {} : { log }) });
  options.onReady?.(control.ports);
  const reload = () => void control.reload();
  process.on('SIGHUP', reload);
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    await Promise.race([aborted, control.ended]);
  } finally {
    process.off('SIGHUP', reload);
    await control.stop(drainMs);
  }
  await control.ended;
}
