import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { exchange, type HttpReply, type HttpRequest } from './http-request.ts';
import { type DialOutcome, dial, pickFreePort } from './tcp.ts';

/** What a test does from one place of the network: the machine's own namespace, or a named one. */
export interface Reach {
  /** Rejects on a transport error or time-out; any HTTP status resolves. */
  request(request: HttpRequest): Promise<HttpReply>;
  /** Tries a TCP connection and closes it. Never rejects for what the network does. */
  dial(host: string, port: number, timeoutMs: number): Promise<DialOutcome>;
  freePort(): Promise<number>;
}

export type ReachCall =
  | { readonly op: 'request'; readonly request: HttpRequest }
  | { readonly op: 'dial'; readonly host: string; readonly port: number; readonly timeoutMs: number }
  | { readonly op: 'freePort' };

export type ReachAnswer = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

const local: Reach = { request: exchange, dial, freePort: () => pickFreePort() };
const remotes = new Map<string, RemoteReach>();

/** The reach of a network namespace; without a name, that of this process. Needs no ending: it goes with this process. */
export function reachFrom(netns?: string): Reach {
  if (netns === undefined) return local;
  const known = remotes.get(netns);
  if (known?.alive === true) return known;
  const made = new RemoteReach(netns);
  remotes.set(netns, made);
  return made;
}

/** Ends the helper process in a namespace that is about to be removed. */
export function closeReach(netns: string): void {
  remotes.get(netns)?.close();
  remotes.delete(netns);
}

/** A command line that runs a program inside a network namespace. The process id is the program's own, as each part execs. */
export function inNamespace(netns: string | undefined, command: string, args: readonly string[]): [string, string[]] {
  // Not `ip netns exec`: it mounts a new /sys, in which Nomad finds no control groups.
  if (netns === undefined) return [command, [...args]];
  return ['nsenter', [`--net=/run/netns/${netns}`, '--', command, ...args]];
}

class RemoteReach implements Reach {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #next = 0;
  alive = true;

  constructor(netns: string) {
    const agent = fileURLToPath(new URL('./reach-agent.js', import.meta.url));
    const [command, args] = inNamespace(netns, process.execPath, [agent]);
    this.#child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (message) => this.#answered(message as ReachAnswer));
    this.#child.once('error', (error) => this.#ended(error));
    this.#child.once('exit', () => this.#ended(new Error(`the helper in network namespace ${netns} has ended`)));
    this.#child.unref();
    this.#child.channel?.unref();
  }

  request(request: HttpRequest): Promise<HttpReply> {
    return this.#call({ op: 'request', request });
  }

  dial(host: string, port: number, timeoutMs: number): Promise<DialOutcome> {
    return this.#call({ op: 'dial', host, port, timeoutMs });
  }

  freePort(): Promise<number> {
    return this.#call({ op: 'freePort' });
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }

  #call<T>(call: ReachCall): Promise<T> {
    if (!this.alive) return Promise.reject(new Error('the helper in this network namespace has ended'));
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      // The process must stay up for an answer, and only for that.
      this.#child.channel?.ref();
      this.#child.send({ id, ...call });
    });
  }

  #answered(answer: ReachAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#child.channel?.unref();
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer.value as never);
  }

  #ended(error: Error): void {
    this.alive = false;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
