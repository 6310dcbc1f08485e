import type { Violation } from '../../core/validate.ts';
import { type ParsedFile, parseFile } from './parse-file.ts';
import type { FileObject } from './schema.ts';

export interface FileText {
  readonly file: string;
  readonly text: string;
}

/**
 * What a folder holds, good objects only. A broken object keeps the version that was good before, and a file that is no
 * YAML keeps everything it held: a slip of an editor takes nothing out of the mesh. What a good file no longer names is gone.
 */
export class FolderState {
  readonly #files = new Map<string, ReadonlyMap<string, FileObject>>();
  readonly #texts = new Map<string, { readonly text: string; readonly parsed: ParsedFile }>();

  /** Takes the files that are there now. Returns everything that is wrong with them. */
  update(files: readonly FileText[]): readonly Violation[] {
    const present = new Set(files.map((f) => f.file));
    for (const file of [...this.#files.keys()]) {
      if (present.has(file)) continue;
      this.#files.delete(file);
      this.#texts.delete(file);
    }
    return files.flatMap(({ file, text }) => this.#take(file, text));
  }

  /** In the order of files and of what they hold; an object that two files name is the first one's. */
  objects(): readonly FileObject[] {
    const byId = new Map<string, FileObject>();
    for (const [, objects] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const [id, object] of objects) if (!byId.has(id)) byId.set(id, object);
    }
    return [...byId.values()];
  }

  #take(file: string, text: string): readonly Violation[] {
    const known = this.#texts.get(file);
    if (known?.text === text) return known.parsed.violations;
    const parsed = parseFile(file, text);
    this.#texts.set(file, { text, parsed });
    const before = this.#files.get(file) ?? new Map<string, FileObject>();
    const after = new Map<string, FileObject>();
    for (const { id, object } of parsed.entries) {
      if (id === undefined) continue;
      const kept = object ?? before.get(id);
      if (kept !== undefined) after.set(id, kept);
    }
    if (parsed.damaged) for (const [id, object] of before) if (!after.has(id)) after.set(id, object);
    this.#files.set(file, after);
    return parsed.violations;
  }
}
