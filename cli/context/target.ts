import { readFile } from 'node:fs/promises';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { type Context, contextPath, readContexts } from './context-file.ts';

/** Where a command calls, whom it expects there, and how it proves itself. */
export interface ApiTarget {
  readonly host: string;
  readonly port: number;
  readonly caPem: string;
  readonly credential: string;
  /** The cluster expected; absent: any of the trust domain. */
  readonly cluster?: string;
}

export interface TargetOptions {
  readonly api?: string;
  readonly caFile?: string;
  readonly credentialFile?: string;
  readonly context?: string;
}

const defaultPort = 15_014;

/** Flags win over the environment, the environment over the context file, each for itself. */
export async function resolveTarget(options: TargetOptions, env: Readonly<Record<string, string | undefined>>): Promise<ApiTarget> {
  const context = await chosenContext(options.context, env);
  const api = options.api ?? env['ISTHMUS_API'];
  const address = parseAddress(api ?? context?.api ?? missing('the address of the control plane', '--api HOST:PORT or ISTHMUS_API'));
  const caFile =
    options.caFile ?? env['ISTHMUS_CA_FILE'] ?? context?.caFile ?? missing('the root certificate', '--ca-file FILE or ISTHMUS_CA_FILE');
  const credentialFile = options.credentialFile ?? env['ISTHMUS_CREDENTIAL_FILE'];
  const credential =
    credentialFile === undefined
      ? (context?.credential ?? missing('a credential', '--credential-file FILE or ISTHMUS_CREDENTIAL_FILE'))
      : await read(credentialFile, 'the credential');
  if (!/^[\x21-\x7e]{1,4096}$/.test(credential.trim())) {
    throw new CliError(
      exitCode.invalid,
      'CONFIG_INVALID',
      'what should be a credential is not one line of text',
      'check which file --credential-file or ISTHMUS_CREDENTIAL_FILE names',
    );
  }
  const caPem = await read(caFile, 'the root certificate');
  // An address given by hand may be of another cluster than the context's.
  const cluster = api === undefined ? context?.cluster : undefined;
  return { ...address, caPem, credential: credential.trim(), ...(cluster === undefined ? {} : { cluster }) };
}

async function chosenContext(name: string | undefined, env: Readonly<Record<string, string | undefined>>): Promise<Context | undefined> {
  const path = contextPath(env);
  const file = await readContexts(path);
  const wanted = name ?? env['ISTHMUS_CONTEXT'];
  const found = file?.contexts[wanted ?? file.current];
  if (found !== undefined || wanted === undefined) return found;
  const known = Object.keys(file?.contexts ?? {}).join(', ') || 'none';
  throw new CliError(exitCode.invalid, 'CONFIG_INVALID', `there is no context ${wanted} in ${path}`, `known contexts: ${known}`);
}

function missing(what: string, how: string): never {
  throw new CliError(
    exitCode.invalid,
    'CONFIG_INVALID',
    `${what} is not known`,
    `give ${how}, or run isthmus control init, which writes a context file`,
  );
}

function parseAddress(text: string): { host: string; port: number } {
  const url = URL.canParse(`https://${text.replace(/^https:\/\//, '')}`)
    ? new URL(`https://${text.replace(/^https:\/\//, '')}`)
    : undefined;
  if (url === undefined || url.hostname === '' || url.pathname !== '/' || url.username !== '') {
    throw new CliError(
      exitCode.invalid,
      'CONFIG_INVALID',
      `${JSON.stringify(text)} is not an address`,
      'write it as HOST:PORT, for example 10.0.0.5:15014',
    );
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (text.endsWith(':443') ? 443 : defaultPort) : Number(url.port),
  };
}

async function read(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(
      exitCode.invalid,
      'CONFIG_INVALID',
      `${what} cannot be read: ${(error as Error).message}`,
      'check the path and its rights',
    );
  }
}
