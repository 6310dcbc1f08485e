import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MeshError } from '../../core/errors.ts';

/** One long-running `isthmus` process of the demonstration; its log goes to a file. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** The first JSON object that it printed: its ports. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** SIGTERM, then SIGKILL after 10 s. Idempotent. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
}

const main = fileURLToPath(new URL('../main.js', import.meta.url));
const readyMs = 30_000;
const stopMs = 10_000;

/** Runs `isthmus ARGS` to its end and returns what it printed. */
export async function runOnce(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exitOf(child)]);
  if (code !== 0) throw new MeshError('INTERNAL', `isthmus ${args[0]} ${args[1] ?? ''} ended with ${code}: ${err.trim()}`);
  return out.trim();
}

/** Starts `isthmus ARGS`, ready when it has printed its ports. Rejects with the end of its log when it ends before that. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const logFile = join(options.folder, `${options.name}.log`);
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
  const child = spawn(process.execPath, [main, ...options.args], {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr.pipe(log);
  child.stdout.pipe(log);
  const tail: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    tail.push(line);
    if (tail.length > 5) tail.shift();
  });
  const exited = exitOf(child);
  const ready = await Promise.race([
    readyLine(child.stdout),
    exited.then((code) => {
      throw new MeshError('INTERNAL', `${options.name} ended with ${code}; its log says:\n${tail.join('\n')}`);
    }),
    new Promise<never>((_resolve, reject) => {
      const timer = setTimeout(
        () => reject(new MeshError('DEADLINE_EXCEEDED', `${options.name} was not ready in ${readyMs / 1000} s; see ${logFile}`)),
        readyMs,
      );
      timer.unref();
    }),
  ]).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  return { name: options.name, pid: child.pid ?? 0, logFile, ready, stop: () => stopChild(child, exited) };
}

async function stopChild(child: ChildProcess, exited: Promise<number | null>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await exited;
  clearTimeout(timer);
}

/** The line that a command prints once it serves. */
function readyLine(stream: NodeJS.ReadableStream): Promise<Record<string, unknown>> {
  return new Promise((resolve) => {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.startsWith('{"ready":true')) resolve(JSON.parse(line) as Record<string, unknown>);
    });
  });
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code));
  });
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part as Buffer));
  return Buffer.concat(parts).toString('utf8');
}
