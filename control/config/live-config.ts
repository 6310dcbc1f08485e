import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { Latest } from '../../core/latest.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { formatViolation, type Violation } from '../../core/validate.ts';
import { tellNew } from '../../core/yaml/index.ts';
import { type LoadedConfig, loadConfig } from './load.ts';

export interface LiveConfig {
  readonly current: LoadedConfig;
  /** The current one first, then each good one that differs. Ends when the signal ends. */
  readonly changes: AsyncIterable<LoadedConfig>;
  /** Of the files as they are now; empty when they are good. The last good one stays in force meanwhile. */
  readonly violations: readonly Violation[];
  /** Reads the files again, as on SIGHUP; never rejects. */
  reload(): Promise<void>;
}

export interface LiveConfigOptions {
  readonly paths: readonly string[];
  readonly clock: Clock;
  /** Called when a reload was refused; not for the first load. */
  readonly onRefused: (violations: readonly Violation[]) => void;
  /** What folders hold and nobody reads, each path once; of the first load too, before that ends. */
  readonly onLeftOut?: (paths: readonly string[]) => void;
}

/** How long the files must be quiet before they are read: editors write in several steps. */
const quietMs = 200;

/** Rejects with CONFIG_INVALID, listing everything, when the first load is refused. Stops watching when `signal` aborts. */
export async function openLiveConfig(options: LiveConfigOptions, signal: AbortSignal): Promise<LiveConfig> {
  const onLeftOut = tellNew((paths) => options.onLeftOut?.(paths));
  const load = () => loadConfig(options.paths, onLeftOut);
  const first = await load();
  if (!first.ok) throw configInvalid(first.violations);
  const live = new ConfigFiles(options, load, first.value);
  await live.start(signal);
  return live;
}

function configInvalid(violations: readonly Violation[]): MeshError {
  const count = violations.length === 1 ? 'one mistake' : `${violations.length} mistakes`;
  return new MeshError('CONFIG_INVALID', `the configuration has ${count}:\n${violations.map((v) => `  ${formatViolation(v)}`).join('\n')}`);
}

class ConfigFiles implements LiveConfig {
  current: LoadedConfig;
  violations: readonly Violation[] = [];
  readonly changes = new Latest<LoadedConfig>();
  readonly #options: LiveConfigOptions;
  readonly #load: () => ReturnType<typeof loadConfig>;
  readonly #watchers: FSWatcher[] = [];
  #pending: Promise<void> | undefined;
  #again = false;

  constructor(options: LiveConfigOptions, load: () => ReturnType<typeof loadConfig>, first: LoadedConfig) {
    this.#options = options;
    this.#load = load;
    this.current = first;
    this.changes.set(first);
  }

  async start(signal: AbortSignal): Promise<void> {
    // Folders, not files: editors and ConfigMaps replace files by renaming.
    const folders = new Set<string>();
    for (const path of this.#options.paths) folders.add((await stat(path)).isDirectory() ? path : dirname(path));
    for (const folder of folders) {
      const watcher = watch(folder, { persistent: false }, () => this.#changed(signal));
      watcher.on('error', () => watcher.close());
      this.#watchers.push(watcher);
    }
    const stop = () => {
      for (const watcher of this.#watchers) watcher.close();
      this.changes.close();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }

  reload(): Promise<void> {
    return this.#read(true);
  }

  /** Something in the folder changed, which may be a log beside the files: the same mistakes are not told again unless asked. */
  async #read(asked: boolean): Promise<void> {
    const result = await this.#load();
    if (!result.ok) {
      const known = JSON.stringify(result.violations) === JSON.stringify(this.violations);
      this.violations = result.violations;
      if (asked || !known) this.#options.onRefused(result.violations);
      return;
    }
    this.violations = [];
    if (JSON.stringify(result.value) === JSON.stringify(this.current)) return;
    this.current = result.value;
    this.changes.set(result.value);
  }

  #changed(signal: AbortSignal): void {
    this.#again = true;
    this.#pending ??= this.#settle(signal)
      .catch((error: unknown) => {
        if (!isAborted(error)) throw error;
      })
      .finally(() => {
        this.#pending = undefined;
      });
  }

  async #settle(signal: AbortSignal): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#options.clock.sleep(quietMs, signal);
      if (!this.#again) await this.#read(false);
    }
  }
}
