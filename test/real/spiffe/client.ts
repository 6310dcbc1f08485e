import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { install } from '../servers/index.ts';

export interface X509Update {
  readonly svids: readonly { readonly id: string; readonly hint: string; readonly chain: readonly string[]; readonly verified: string }[];
  /** Trust domain → certificates, base64 DER. */
  readonly bundles: Readonly<Record<string, readonly string[]>>;
}

/** go-spiffe as any user of this machine. */
export class SpiffeClient {
  readonly #binary: string;
  readonly #t: TestContext;

  private constructor(t: TestContext, binary: string) {
    this.#t = t;
    this.#binary = binary;
  }

  static async open(t: TestContext): Promise<SpiffeClient> {
    const folder = await temporaryDir(t);
    await chmod(folder, 0o755);
    const binary = join(folder, 'client');
    await copyFile((await install('spiffe-client')).binary('spiffe-client'), binary);
    await chmod(binary, 0o755);
    return new SpiffeClient(t, binary);
  }

  /** Its lines, as they come; it ends with the test. */
  watch(uid: number, ...args: readonly string[]): { readonly lines: unknown[] } {
    const child = this.#run(uid, args);
    const lines: unknown[] = [];
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => lines.push(JSON.parse(line)));
    return { lines };
  }

  /** Its one answer, `{error}` among them. */
  async ask(uid: number, ...args: readonly string[]): Promise<Record<string, unknown>> {
    const child = this.#run(uid, args);
    let text = '';
    child.stdout?.on('data', (piece: Buffer) => {
      text += piece.toString();
    });
    await once(child, 'close');
    return JSON.parse(text) as Record<string, unknown>;
  }

  #run(uid: number, args: readonly string[]): ChildProcess {
    const child = spawn(this.#binary, args, { uid, gid: uid, cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    onEnd(this.#t, async () => {
      child.kill('SIGKILL');
      await ended;
    });
    return child;
  }
}
