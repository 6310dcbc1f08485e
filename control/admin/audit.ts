import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError } from '../../core/errors.ts';
import { redact } from '../telemetry/index.ts';
import type { Difference } from './changed.ts';

export interface AuditEntry {
  /** RFC 3339. */
  readonly time: string;
  readonly who: string;
  /** Address the call came from. */
  readonly from: string;
  /** The route, such as `POST /v1/tokens`. */
  readonly what: string;
  readonly request: unknown;
  readonly diff: readonly Difference[];
  /** `done`, `refused`, or the code of the error. */
  readonly result: string;
}

export interface AuditLog {
  /** Resolves when the line is on disk. Rejects with STORE_UNAVAILABLE. */
  append(entry: AuditEntry): Promise<void>;
  /** Rejects with STORE_UNAVAILABLE when the last append failed and the file still cannot be written: nothing may change then. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** One JSON object a line, appended, mode 0600, secrets redacted. */
export async function openAuditLog(path: string): Promise<AuditLog> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return new AuditFile(path, await open(path, 'a', 0o600));
}

class AuditFile implements AuditLog {
  readonly #path: string;
  readonly #file: FileHandle;
  #last: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  append(entry: AuditEntry): Promise<void> {
    return this.#write(`${JSON.stringify(redact(entry))}\n`);
  }

  async ready(): Promise<void> {
    // An empty line tells whether the disk takes writes again, and ends a line that was cut.
    if (this.#failed) await this.#write('\n');
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file.close();
  }

  #write(line: string): Promise<void> {
    const written = this.#last.then(async () => {
      try {
        await this.#file.appendFile(line);
        await this.#file.datasync();
        this.#failed = false;
      } catch (error) {
        this.#failed = true;
        throw new MeshError('STORE_UNAVAILABLE', `the audit log ${this.#path} cannot be written: free space on its disk`, {
          retryable: true,
          cause: error,
        });
      }
    });
    this.#last = written.catch(() => undefined);
    return written;
  }
}
