import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface OtherUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups?: readonly number[];
  /** JavaScript that runs while it is still root: what the other user may not read. */
  readonly before?: string;
}

/** Tests that need more than one user need root. */
export const cannotBeOthers = process.getuid?.() === 0 ? false : 'starting programs as other users needs root';

/** Runs JavaScript (CommonJS) in a Node of its own as another user. It is killed when `kill` is called; its stdout is piped. */
export function runAs(
  { uid, gid, groups = [], before = '' }: OtherUser,
  script: string,
): { readonly child: ChildProcess; kill(): Promise<void> } {
  const become = `process.setgroups(${JSON.stringify(groups)}); process.setgid(${gid}); process.setuid(${uid});`;
  const child = spawn(process.execPath, ['-e', `${before}\n${become}\n${script}`], { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' });
  const ended = once(child, 'close');
  return {
    child,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
