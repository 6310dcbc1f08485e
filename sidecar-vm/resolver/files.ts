import { isIP } from 'node:net';

/** The first line of what we write: says whose it is. */
export const mark = '# Made by isthmus vm dns install; isthmus vm dns remove brings back what was here before.';

/** glibc asks three (resolv.conf(5), MAXNS): ours, and two that others have chosen. */
const mostOthers = 2;

/**
 * A resolv.conf that asks the agent first and then whom `before` asks. The agent refuses names outside the mesh, and a port of loopback
 * on which nobody listens refuses all: either way the next one is asked at once. Pure.
 */
export function resolvConf(before: string, address: string): string {
  const lines = before.split('\n').map((line) => line.trim());
  const directive = (name: string) => lines.filter((line) => line.split(/\s+/)[0] === name);
  const others = directive('nameserver').filter((line) => line.split(/\s+/)[1] !== address);
  const rest = lines.filter((line) => line !== '' && line !== mark && !['nameserver', 'options'].includes(line.split(/\s+/)[0] ?? ''));
  const options = directive('options').flatMap((line) => line.split(/\s+/).slice(1));
  const kept = options.filter((option) => !option.startsWith('timeout:') && option !== 'rotate');
  return [
    mark,
    ...rest,
    `nameserver ${address}`,
    ...others.slice(0, mostOthers),
    // Rotation would ask others for names of the mesh.
    `options ${[...kept, 'timeout:1'].join(' ')}`,
    '',
  ].join('\n');
}

/** A drop-in of systemd-resolved: names of the mesh go to the agent, all others where they went. Pure. */
export function resolvedDropIn(at: { readonly address: string; readonly port: number }, zones: readonly string[]): string {
  const server = isIP(at.address) === 6 ? `[${at.address}]:${at.port}` : `${at.address}:${at.port}`;
  return `${mark}\n[Resolve]\nDNS=${server}\nDomains=${zones.map((zone) => `~${zone}`).join(' ')}\n`;
}
