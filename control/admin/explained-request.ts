import { Value } from 'typebox/value';
import { ExplainedRequest } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';

/** What a query says of a request, as JSON. Rejects with MeshError CONFIG_INVALID. */
export function explainedRequest(text: string | undefined): ExplainedRequest | undefined {
  if (text === undefined) return undefined;
  const value = parsed(text);
  if (Value.Check(ExplainedRequest, value)) return value;
  throw new MeshError('CONFIG_INVALID', 'request must be JSON with method, path, host, headers, claims and sourceIp alone');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
