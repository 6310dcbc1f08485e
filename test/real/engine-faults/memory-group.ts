import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const prefix = 'isthmus-test-';

/** A cgroup of the test's own with a limit of memory, of whichever version this machine has the memory controller in. */
export class MemoryGroup {
  readonly #dir: string;
  readonly #used: string;

  private constructor(dir: string, used: string) {
    this.#dir = dir;
    this.#used = used;
  }

  static async make(limitBytes: number): Promise<MemoryGroup> {
    const name = `${prefix}${process.pid}`;
    const one = '/sys/fs/cgroup/memory';
    if (existsSync(join(one, 'memory.limit_in_bytes'))) {
      await sweep(one);
      const dir = join(one, name);
      await mkdir(dir);
      await writeFile(join(dir, 'memory.limit_in_bytes'), String(limitBytes));
      return new MemoryGroup(dir, 'memory.usage_in_bytes');
    }
    const two = '/sys/fs/cgroup';
    await writeFile(join(two, 'cgroup.subtree_control'), '+memory');
    await sweep(two);
    const dir = join(two, name);
    await mkdir(dir);
    await writeFile(join(dir, 'memory.max'), String(limitBytes));
    return new MemoryGroup(dir, 'memory.current');
  }

  /** What runs the program that follows it in here. */
  get under(): readonly string[] {
    return ['/bin/sh', '-c', `echo $$ > ${join(this.#dir, 'cgroup.procs')} && exec "$@"`, 'sh'];
  }

  /** Bytes. */
  async used(): Promise<number> {
    return Number(await readFile(join(this.#dir, this.#used), 'utf8'));
  }

  /** Nobody may be in it any more. */
  remove(): Promise<void> {
    return rmdir(this.#dir);
  }
}

/** Of tests that failed, and are no more. */
async function sweep(root: string): Promise<void> {
  const left = (await readdir(root)).filter((name) => name.startsWith(prefix) && !existsSync(`/proc/${name.slice(prefix.length)}`));
  for (const name of left) await rmdir(join(root, name)).catch(() => {});
}
