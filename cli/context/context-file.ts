import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';

const context = z.strictObject({
  /** HOST:PORT of the admin API. */
  api: z.string(),
  cluster: z.string(),
  /** PEM file that the server's certificate must chain to; read at each call, as roots rotate. */
  caFile: z.string(),
  /** Secret. */
  credential: z.string().optional(),
});
export type Context = z.infer<typeof context>;

const file = z.strictObject({ current: z.string(), contexts: z.record(z.string(), context) });
export type ContextFile = z.infer<typeof file>;

export function contextPath(env: Readonly<Record<string, string | undefined>>): string {
  const { ISTHMUS_CONTEXT_FILE: explicit, XDG_CONFIG_HOME: config } = env;
  return explicit ?? join(config ?? join(env['HOME'] ?? homedir(), '.config'), 'isthmus', 'context.yaml');
}

/** Undefined when there is none. Refuses a file that others may read: it holds a credential. */
export async function readContexts(path: string): Promise<ContextFile | undefined> {
  let text: string;
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      throw new CliError(
        exitCode.invalid,
        'CONFIG_INVALID',
        `${path} may be read by others, and it holds a credential`,
        `run chmod 600 ${path}`,
      );
    }
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
  const result = file.safeParse(yaml(path, text));
  if (result.success) return result.data;
  const wrong = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new CliError(
    exitCode.invalid,
    'CONFIG_INVALID',
    `${path} is not a context file: ${wrong}`,
    'run isthmus control init again, or remove it',
  );
}

/** Adds or replaces one context and makes it the current one. 0600, replaced as a whole. */
export async function saveContext(path: string, name: string, added: Context): Promise<void> {
  const existing = await readContexts(path);
  const contexts = { ...existing?.contexts, [name]: added };
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, stringify({ current: name, contexts }), { mode: 0o600 });
  await chmod(`${path}.new`, 0o600);
  await rename(`${path}.new`, path);
}

function yaml(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new CliError(exitCode.invalid, 'CONFIG_INVALID', `${path} is not valid YAML: ${(error as Error).message}`);
  }
}
