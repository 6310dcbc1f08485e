import { InvalidArgumentError } from 'commander';
import type { AgentOptionsInput } from '../../sidecar-vm/main.ts';

export type IdentityInput = NonNullable<AgentOptionsInput['identities']>[number];

export interface SelectorFlags {
  readonly uid: readonly number[];
  readonly gid: readonly number[];
  readonly path: readonly string[];
  readonly sha256: readonly string[];
}

export function workloadApiOf({ workloadApi }: { readonly workloadApi?: string | true }): Pick<AgentOptionsInput, 'workloadApi'> {
  if (workloadApi === undefined) return {};
  return { workloadApi: workloadApi === true ? {} : { socket: workloadApi } };
}

/** `1001` or `1001,1002`, several times. */
export function idsFlag(text: string, before: readonly number[]): readonly number[] {
  const ids = text.split(',').map(Number);
  if (ids.some((id) => !Number.isInteger(id) || id < 0))
    throw new InvalidArgumentError('It must be numbers, separated by commas; id -u NAME shows one.');
  return [...before, ...ids];
}

export function selectorsOf({ uid, gid, path, sha256 }: SelectorFlags): NonNullable<IdentityInput['selectors']> {
  return { uid: [...uid], gid: [...gid], path: [...path], sha256: [...sha256] };
}

/** `NAMESPACE/NAME:PORT[=APP_PORT]`, several times. */
export function ownedServiceFlag(text: string, before: NonNullable<IdentityInput['services']>): NonNullable<IdentityInput['services']> {
  const match = /^([a-z0-9-]+)\/([a-z0-9-]+):([0-9]{1,5})(?:=([0-9]{1,5}))?$/.exec(text);
  const [, namespace, name, port, appPort = port] = match ?? [];
  if (namespace === undefined || name === undefined) {
    throw new InvalidArgumentError('It must be NAMESPACE/NAME:PORT or NAMESPACE/NAME:PORT=APP_PORT, such as shop/orders:80=8080.');
  }
  return [...before, { namespace, name, port: Number(port), appPort: Number(appPort) }];
}
