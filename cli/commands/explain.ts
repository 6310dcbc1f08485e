import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ExplainedRequest, Explanation } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { explainText } from '../text/explain-text.ts';

interface RequestOptions {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly header: readonly string[];
  readonly jwt?: string;
  readonly sourceIp?: string;
}

export function addExplain(program: Command, io: Io): void {
  apiLeaf(program, 'explain', 'what happens when SRC calls DST, decision by decision', [
    'explain default/web default/payments',
    'explain vm-1 payments.default.mesh.internal:8080',
    'explain spiffe://partner.example/ns/sales/sa/web default/payments',
    'explain default/web default/payments --method POST --path /refunds --header x-tenant=acme --jwt token.txt',
  ])
    .argument('<src>', 'NAMESPACE/NAME of a service, an instance, or the SPIFFE id of a caller of another trust domain')
    .argument('<dst>', 'NAMESPACE/NAME of a service, or its mesh name, with or without :PORT')
    .option('--method <method>', 'of one request that it is to be about; default GET, once anything is said of a request')
    .option('--path <path>', 'of that request; default /')
    .option('--host <host>', "of that request; default the service's mesh name")
    .option('--header <name=value>', 'of that request; may be said more than once', (text, all: string[]) => [...all, text], [])
    .option('--jwt <file>', 'file with its token; only what it says is sent, and it is taken as one that holds')
    .option('--source-ip <address>', 'of the caller, as the end of mTLS sees it')
    .action(async (src: string, dst: string, options: LeafOptions & TargetOptions & RequestOptions) => {
      const request = await requestOf(options);
      const about = request === undefined ? {} : { request: JSON.stringify(request) };
      const query = new URLSearchParams({ src, dst, ...about });
      await callAndEmit(io, options, (client) => client.get<Explanation>(`/v1/explain?${query}`), explainText);
    });
}

async function requestOf({ method, path, host, header, jwt, sourceIp }: RequestOptions): Promise<ExplainedRequest | undefined> {
  const said = [method, path, host, jwt, sourceIp].some((each) => each !== undefined) || header.length > 0;
  if (!said) return undefined;
  return {
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { path }),
    ...(host === undefined ? {} : { host }),
    ...(sourceIp === undefined ? {} : { sourceIp }),
    headers: headersOf(header),
    ...(jwt === undefined ? {} : { claims: claimsOf(await readFile(jwt, 'utf8')) }),
  };
}

/** Several of one name are joined, as ends of mTLS read them. */
function headersOf(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const equals = line.indexOf('=');
    if (equals < 1) throw new MeshError('CONFIG_INVALID', `--header ${JSON.stringify(line)} is not NAME=VALUE`);
    const [name, value] = [line.slice(0, equals).toLowerCase(), line.slice(equals + 1)];
    headers[name] = Object.hasOwn(headers, name) ? `${headers[name]},${value}` : value;
  }
  return headers;
}

/** The signature stays where it is: whoever has a token can use it. */
function claimsOf(token: string): Record<string, unknown> {
  const payload = token.trim().split('.')[1] ?? '';
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return claims as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new MeshError('CONFIG_INVALID', 'the file of --jwt holds no token: it is HEADER.PAYLOAD.SIGNATURE, of which PAYLOAD is JSON');
}
