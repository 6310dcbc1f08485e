import { availableParallelism } from 'node:os';

/** A program and its arguments. */
export type Command = readonly [string, readonly string[]];

const cores = availableParallelism();

/**
 * Every proxy has the first core to itself, so that each has one thread's worth, whatever it makes of more; load and origin have the others. On one
 * core all share it. By taskset(1), which becomes the program: the process keeps its id.
 */
export function onProxyCore(binary: string, args: readonly string[]): Command {
  return cores < 2 ? [binary, args] : ['taskset', ['-c', '0', binary, ...args]];
}

export function onLoadCores(binary: string, args: readonly string[]): Command {
  return cores < 2 ? [binary, args] : ['taskset', ['-c', `1-${cores - 1}`, binary, ...args]];
}
