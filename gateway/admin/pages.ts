import type { IncomingMessage } from 'node:http';
import type { Registry } from 'prom-client';
import type { DataPlaneState } from '../state/index.ts';
import type { GatewayStatus } from './contract.ts';
import { json, type Page, text } from './server.ts';

/** Port 15021. Status and configuration tell much about a mesh, so they are for the same machine only. */
export function healthPages(status: () => GatewayStatus, state: () => DataPlaneState): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    ['/healthz', () => text(200, 'ok')],
    [
      '/healthz/ready',
      () => {
        const { ready, reason } = status();
        return json(ready ? 200 : 503, { ready, reason });
      },
    ],
    ['/v1/gateway', (request) => (isLocal(request) ? json(200, status()) : text(403, 'only from this machine'))],
    ['/v1/gateway/config', (request) => (isLocal(request) ? json(200, plain(state())) : text(403, 'only from this machine'))],
  ]);
}

/** Port 15020. `more`: what others say of themselves, in the same form. */
export function metricsPages(registry: Registry, more: () => Promise<string>): ReadonlyMap<string, Page> {
  const body = async () => (await Promise.all([registry.metrics(), more()])).join('\n');
  return new Map<string, Page>([['/metrics', async () => ({ status: 200, type: registry.contentType, body: await body() })]]);
}

function isLocal(request: IncomingMessage): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(request.socket.remoteAddress ?? '');
}

/** Certificates, which are public, in base64. There is no key in the state. */
function plain(state: DataPlaneState): Record<string, unknown> {
  const list = (map: ReadonlyMap<string, unknown>) => [...map.values()].map(readable);
  return Object.fromEntries(Object.entries(state).map(([name, map]) => [name, list(map as ReadonlyMap<string, unknown>)]));
}

function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, readable(each)]));
}
