import { MeshError } from '../../core/errors.ts';

/** What a failed listen is to the operator: MeshError PORT_TAKEN with the address; any other error stays itself. */
export function portTaken(error: unknown, { host, port }: { readonly host: string; readonly port: number }): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (!['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES'].includes(code ?? '')) return error;
  return new MeshError('PORT_TAKEN', `cannot listen on ${host}:${port}: ${message}`, { cause: error });
}
