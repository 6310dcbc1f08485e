import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../core/duration.ts';
import { isTrustDomain } from '../core/model/index.ts';

/** Parsers of flags; commander prints what they refuse together with the usage. */
export function durationFlag(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('It must be a duration such as 15m, 24h or 7d.');
  return ms;
}

export function trustDomainFlag(text: string): string {
  if (!isTrustDomain(text))
    throw new InvalidArgumentError(
      'It must be a SPIFFE trust domain, such as mesh.example.org: lower-case letters, digits, dots, dashes and underscores, at most 255.',
    );
  return text;
}

export function portFlag(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port < 1 || port > 65_535) throw new InvalidArgumentError('It must be a port, 1-65535.');
  return port;
}

export function countFlag(text: string): number {
  const count = Number(text);
  if (!/^[0-9]{1,6}$/.test(text) || count < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return count;
}

export function serviceArgument(text: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError('It must be NAMESPACE/NAME, such as default/orders.');
  }
  return text;
}

/** For flags that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** ADDRESS:PORT to listen on; port 0 is any free one. */
export function bindFlag(text: string): { readonly address: string; readonly port: number } {
  const [, v6, v4, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const address = v6 ?? v4;
  if (address === undefined || Number(port) > 65_535) throw new InvalidArgumentError('It must be ADDRESS:PORT, such as 0.0.0.0:15443.');
  return { address, port: Number(port) };
}
