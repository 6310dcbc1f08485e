import { join } from 'node:path';
import { MeshError } from '../../core/errors.ts';
import { type ObtainedIdentity, obtainIdentity } from '../../core/identity/index.ts';
import type { AgentDeps } from '../contract.ts';
import { agentFiles } from '../files.ts';
import type { AgentOptions } from '../options.ts';

export type IdentityOptions = AgentOptions['identities'][number];

/** An identity of this machine beside the agent's own, kept alive until the signal of its opening aborts. */
export interface OpenIdentity {
  readonly options: IdentityOptions;
  readonly source: ObtainedIdentity;
  /** Owner-only folder. */
  readonly dir: string;
}

export function identityDir(stateDir: string, name: string): string {
  return join(agentFiles(stateDir).identities, name);
}

/** Each attested apart, with a token and a key of its own. MeshErrors as obtainIdentity's, with the name of the identity. */
export async function openIdentities(
  options: AgentOptions,
  deps: Required<AgentDeps>,
  signal: AbortSignal,
): Promise<readonly OpenIdentity[]> {
  const { stateDir, instance } = options;
  const { clock, random, log } = deps;
  return Promise.all(
    options.identities.flatMap((each) => {
      const { name, token } = each;
      if (token === undefined) return [];
      const dir = identityDir(stateDir, name);
      return [
        obtainIdentity({ dir, token, instance, clock, random, log, signal }).then(
          (source) => ({ options: each, source, dir }),
          (error: unknown) => {
            throw named(error, name);
          },
        ),
      ];
    }),
  );
}

function named(error: unknown, name: string): unknown {
  if (!(error instanceof MeshError)) return error;
  const next =
    error.code === 'IDENTITY_INVALID' || error.code === 'PERMISSION_DENIED' ? '; make a token with isthmus vm token and add it again' : '';
  return new MeshError(error.code, `identity ${name}: ${error.message}${next}`, { retryable: error.retryable, cause: error });
}
