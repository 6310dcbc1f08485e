import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { documentFolder } from '../../core/yaml/index.ts';
import type { FileText } from './folder-state.ts';

const maxFiles = 10_000;
const maxFileBytes = 1024 * 1024;

/**
 * Every `.yaml`, `.yml` and `.json` of a folder, not below it; `leftOut` is what else is there. Rejects with REGISTRY_UNREACHABLE when it
 * cannot be read whole.
 */
export async function readFolder(path: string): Promise<{ readonly files: readonly FileText[]; readonly leftOut: readonly string[] }> {
  try {
    const { read: names, leftOut } = documentFolder(await readdir(path, { withFileTypes: true }));
    if (names.length > maxFiles) throw new Error(`it holds more than ${maxFiles} files`);
    const files = await Promise.all(names.map(async (name) => ({ file: join(path, name), text: await readText(join(path, name)) })));
    return { files, leftOut };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeshError('REGISTRY_UNREACHABLE', `the folder ${path} cannot be read: ${why}`, { cause, retryable: true });
  }
}

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path);
  // The parser says so, with the file's name.
  return bytes.toString('utf8', 0, Math.min(bytes.length, maxFileBytes + 1));
}

/**
 * Yields whenever something in the folder may have changed, after it has been quiet for `quietMs` (editors write in several
 * steps), and every `rescanMs` in any case: some file systems tell nothing. Ends when `signal` aborts.
 */
export async function* folderChanges(
  path: string,
  timing: { readonly quietMs: number; readonly rescanMs: number },
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<void, void, void> {
  let changed = false;
  let wake = () => {};
  const notice = () => {
    changed = true;
    wake();
  };
  const watcher = openWatcher(path, notice);
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      if (!changed)
        await nextNotice(timing.rescanMs, clock, signal, (resolve) => {
          wake = resolve;
        });
      while (changed && !signal.aborted) {
        changed = false;
        await clock.sleep(timing.quietMs, signal).catch(() => undefined);
      }
      if (!signal.aborted) yield;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    watcher?.close();
  }
}

/** Undefined where the system cannot watch: the rescans remain. */
function openWatcher(path: string, notice: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, notice);
    watcher.on('error', () => {
      watcher.close();
      notice();
    });
    return watcher;
  } catch {
    return undefined;
  }
}

async function nextNotice(ms: number, clock: Clock, signal: AbortSignal, setWake: (resolve: () => void) => void): Promise<void> {
  const timer = new AbortController();
  const noticed = new Promise<void>((resolve) => setWake(resolve));
  if (!signal.aborted) await Promise.race([noticed, clock.sleep(ms, timer.signal).catch(() => undefined)]);
  timer.abort();
}
