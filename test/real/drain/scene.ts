import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DrainEndpoint } from '../../../core/admin/index.ts';
import { inNamespace } from '../servers/index.ts';

/** What the control plane of the test is told. */
export interface DrainScene {
  readonly address: string;
  readonly appPort: number;
  readonly inboundPort: number;
  readonly callerAddress: string;
  readonly bakeMs: number;
}

export type ControlSays =
  | { readonly kind: 'tokens'; readonly orders: string; readonly web: string }
  | { readonly kind: 'drain'; readonly endpoints: readonly DrainEndpoint[] };

export interface WatchingControl {
  readonly tokens: { readonly orders: string; readonly web: string };
  /** As it was said last. */
  drain(): readonly DrainEndpoint[];
  /** Every verdict on the first place since the last call, that of then included, without repetitions. */
  history(): string[];
  stop(): Promise<void>;
}

const fileOf = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

export async function startWatchingControl(netns: string, scene: DrainScene): Promise<WatchingControl> {
  const [command, args] = inNamespace(netns, process.execPath, [fileOf('watching-control'), JSON.stringify(scene)]);
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let endpoints: readonly DrainEndpoint[] = [];
  let verdicts: string[] = [];
  const tokens = new Promise<{ orders: string; web: string }>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the control plane ended with ${code}`)));
    child.on('message', (message) => {
      const said = message as ControlSays;
      if (said.kind === 'tokens') return resolve(said);
      endpoints = said.endpoints;
      const verdict = endpoints[0]?.verdict ?? '';
      if (verdicts.at(-1) !== verdict) verdicts.push(verdict);
    });
  });
  return {
    tokens: await tokens,
    drain: () => endpoints,
    history: () => {
      const since = verdicts;
      verdicts = since.slice(-1);
      return since;
    },
    stop: () => ended(child, () => child.disconnect()),
  };
}

export interface Program {
  kill9(): Promise<void>;
}

/** A program of a host; `args` of Node. Killed by its own id. */
export function startProgram(netns: string, args: readonly string[]): Program {
  const [command, full] = inNamespace(netns, process.execPath, args);
  const child = spawn(command, full, { stdio: 'ignore' });
  return { kill9: () => ended(child, () => void child.kill('SIGKILL')) };
}

export function startAgentProcess(netns: string, options: object): Program {
  return startProgram(netns, [fileOf('agent-process'), JSON.stringify(options)]);
}

/** Holds one connection to an address until it is killed, and makes it anew where it ends or fails. */
export function startCaller(netns: string, host: string, port: number): Program {
  const code = `const go=()=>require("net").connect(${port},"${host}").on("error",()=>{}).on("close",()=>setTimeout(go,200));go()`;
  return startProgram(netns, ['-e', code]);
}

async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  end();
  await exit;
}
