import { execFile } from 'node:child_process';
import type { Log } from '../../core/log.ts';
import type { WorkloadIdentity, WorkloadTrust } from '../workload-api/index.ts';
import { type Pkcs12Options, svidFiles } from './contents.ts';
import { replaceFiles } from './versioned-folder.ts';

export interface SvidFilesOptions {
  readonly dir: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Octal. */
  readonly mode: string;
  readonly pkcs12?: Pkcs12Options | undefined;
  readonly command?: readonly [string, ...string[]] | undefined;
}

export interface KeptFiles {
  /** Resolves when nothing is being written any more. Files stay: programs go on with them. Idempotent. */
  close(): Promise<void>;
}

const commandMs = 30_000;

/**
 * Keeps an SVID and what it trusts as files. Resolves when they are there, rejects when they cannot be written; later failures are logged, and tried again at
 * the next change. The command is run after each change but the first, one at a time.
 */
export async function keepFiles(
  options: SvidFilesOptions,
  identity: Omit<WorkloadIdentity, 'signJwt'>,
  trust: WorkloadTrust,
  log: Log,
): Promise<KeptFiles> {
  const { dir, uid, gid, mode, pkcs12, command } = options;
  const owner = { uid, gid, mode: Number.parseInt(mode, 8) };
  let said = '';
  const write = async (): Promise<boolean> => {
    const svid = identity.source.current();
    const bundles = trust.bundles();
    const now = JSON.stringify([
      svid.serial,
      bundles.map(({ trustDomain, roots }) => [trustDomain, roots.map((root) => Buffer.from(root).toString('base64'))]),
    ]);
    if (now === said) return false;
    await replaceFiles(dir, svidFiles(svid, bundles, pkcs12), owner);
    said = now;
    return true;
  };
  await write();
  let closed = false;
  let waiting = false;
  let running: Promise<void> = Promise.resolve();
  const refresh = () => {
    if (closed || waiting) return;
    waiting = true;
    running = running.then(async () => {
      waiting = false;
      try {
        if ((await write()) && command !== undefined) await run(command, dir, log);
      } catch (error) {
        log.error({ dir, error: String(error) }, 'SVID files are not up to date: check that the folder can be written');
      }
    });
  };
  const undo = [identity.source.subscribe(refresh), trust.subscribe(refresh)];
  return {
    close: async () => {
      closed = true;
      for (const end of undo.splice(0)) end();
      await running;
    },
  };
}

/** Never rejects: the files are what they are. */
function run([file, ...args]: readonly [string, ...string[]], dir: string, log: Log): Promise<void> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: commandMs, env: { PATH: process.env['PATH'] ?? '', SVID_DIR: dir }, maxBuffer: 64 * 1024 }, (error) => {
      if (error !== null) log.error({ dir, file, error: error.message.split('\n')[0] }, 'the command after a renewal failed');
      resolve();
    });
  });
}
