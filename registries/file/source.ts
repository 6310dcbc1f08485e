import type { FileConnection, RegistrySpec } from '../../core/config/index.ts';
import { childController } from '../../core/lifecycle.ts';
import type { ServiceRecord } from '../../core/model/index.ts';
import {
  type AdapterDeps,
  diffServices,
  type RegistryEvent,
  type RegistrySource,
  reportOnChange,
  runSource,
} from '../../core/registry/index.ts';
import { tellNew } from '../../core/yaml/index.ts';
import { FolderState } from './folder-state.ts';
import { translate } from './translate.ts';
import { folderChanges, readFolder } from './watch-folder.ts';

export type FileSpec = RegistrySpec & { readonly connection: FileConnection };

/** Times in ms. */
export interface FileTuning {
  /** How long the folder must be quiet before it is read; default 50. */
  readonly quietMs: number;
  /** How often it is read although nothing was told; default 5,000. */
  readonly rescanMs: number;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
}

const defaultTuning: FileTuning = { quietMs: 50, rescanMs: 5_000, backoff: { baseMs: 100, maxMs: 5_000 } };

/** A folder of ServiceEntry and WorkloadEntry as a registry. Its cursor counts the changes seen. Opens nothing until it is watched. */
export function createFileSource(spec: FileSpec, deps: AdapterDeps, tuning: Partial<FileTuning> = {}): RegistrySource {
  const full = { ...defaultTuning, ...tuning };
  const state = new FolderState();
  const firstSeen = new Map<string, number>();
  const sayLeftOut = tellNew((names) =>
    deps.log.warn({ source: deps.id, folder: spec.connection.path, names }, 'not read: of this folder only .yaml, .yml and .json are'),
  );
  return { id: deps.id, watch: (signal) => watch(spec, deps, full, { state, firstSeen, sayLeftOut }, signal) };
}

/** What a source knows from one watch to the next. */
interface Lasting {
  readonly state: FolderState;
  /** Unix ms, by service. */
  readonly firstSeen: Map<string, number>;
  readonly sayLeftOut: (names: readonly string[]) => void;
}

function watch(spec: FileSpec, deps: AdapterDeps, tuning: FileTuning, lasting: Lasting, signal: AbortSignal): AsyncIterable<RegistryEvent> {
  const { clock, random, log, id } = deps;
  const { state, firstSeen, sayLeftOut } = lasting;
  const { path } = spec.connection;
  const report = reportOnChange(deps);
  let cursor = 0;
  const seenAt = (key: string) => {
    const known = firstSeen.get(key) ?? clock.now();
    firstSeen.set(key, known);
    return known;
  };
  const read = async (): Promise<readonly ServiceRecord[]> => {
    const { files, leftOut } = await readFolder(path);
    sayLeftOut(leftOut);
    const wrong = state.update(files);
    const { services, violations } = translate(state.objects(), spec.rules, seenAt);
    report(path, [...wrong, ...violations]);
    return services;
  };
  return runSource(
    async (emit, inner) => {
      // Watched before it is read, so that no change falls between the two.
      const { controller, release } = childController(inner);
      const changes = folderChanges(path, tuning, clock, controller.signal);
      let next = changes.next();
      try {
        let services = await read();
        await emit({ kind: 'snapshot', services, cursor: String(cursor) });
        while (!(await next).done) {
          next = changes.next();
          const now = await read();
          for (const event of diffServices(services, now, String(cursor + 1))) await emit(event);
          if (now !== services) cursor += 1;
          services = now;
        }
      } finally {
        controller.abort();
        await next;
        release();
      }
    },
    { clock, random, onFailure: (error) => log.warn({ source: id, code: error.code }, error.message), backoff: tuning.backoff },
    signal,
  );
}
