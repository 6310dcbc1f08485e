import { opendir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

/** More processes, or files of one, are not looked at. */
const maxProcesses = 20_000;
const maxFiles = 100_000;

/** Who holds which socket, as far as this user may see it. */
export interface SocketHolders {
  /** Inodes of the sockets that the processes hold. Of one that cannot be read: none. */
  socketsOf(pids: readonly number[]): Promise<ReadonlySet<number>>;
  /** By inode, the name of a program that holds it (comm of proc(5), at most 15 bytes). What is not found is left out. */
  programsOf(inodes: ReadonlySet<number>): Promise<ReadonlyMap<number, string>>;
}

export class ProcHolders implements SocketHolders {
  readonly #root: string;
  /** Of the sockets that were asked for last; empty: not found. */
  #known = new Map<number, string>();

  constructor(root = '/proc') {
    this.#root = root;
  }

  async socketsOf(pids: readonly number[]): Promise<ReadonlySet<number>> {
    const all = new Set<number>();
    for (const pid of pids) await this.#forEachSocket(String(pid), (inode) => void all.add(inode));
    return all;
  }

  async programsOf(inodes: ReadonlySet<number>): Promise<ReadonlyMap<number, string>> {
    const wanted = new Set([...inodes].filter((inode) => !this.#known.has(inode)));
    const found = wanted.size === 0 ? new Map<number, string>() : await this.#search(wanted);
    this.#known = new Map([...inodes].map((inode) => [inode, this.#known.get(inode) ?? found.get(inode) ?? '']));
    return new Map([...this.#known].filter(([, program]) => program !== ''));
  }

  async #search(inodes: ReadonlySet<number>): Promise<Map<number, string>> {
    const found = new Map<number, string>();
    let processes = 0;
    for await (const pid of entriesOf(this.#root)) {
      if (!/^\d+$/.test(pid)) continue;
      processes += 1;
      if (found.size === inodes.size || processes > maxProcesses) break;
      const held: number[] = [];
      await this.#forEachSocket(pid, (inode) => void (inodes.has(inode) && !found.has(inode) && held.push(inode)));
      if (held.length === 0) continue;
      const name = await nameOf(`${this.#root}/${pid}`);
      if (name !== '') for (const inode of held) found.set(inode, name);
    }
    return found;
  }

  async #forEachSocket(pid: string, take: (inode: number) => void): Promise<void> {
    const folder = `${this.#root}/${pid}/fd`;
    let files = 0;
    for await (const file of entriesOf(folder)) {
      files += 1;
      if (files > maxFiles) return;
      const target = await readlink(`${folder}/${file}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) take(Number(inode));
    }
  }
}

/** Of a process, by its folder in /proc. Node 24 calls its main thread so, and with that every program of it: those go by what was run. */
async function nameOf(folder: string): Promise<string> {
  const read = (file: string) => readFile(`${folder}/${file}`, 'utf8').catch(() => '');
  const name = (await read('comm')).trim();
  if (name !== 'MainThread') return name;
  const [run = ''] = (await read('cmdline')).split('\0');
  return basename(run).slice(0, 64) || name;
}

/** Empty for a folder that is gone or not for us. */
async function* entriesOf(folder: string): AsyncGenerator<string> {
  try {
    for await (const entry of await opendir(folder, { bufferSize: 512 })) yield entry.name;
  } catch {
    // It ended meanwhile, or it is somebody else's.
  }
}
