import { Resolver } from 'node:dns/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exchange, type HttpReply, type HttpRequest } from '../servers/http-request.ts';

/**
 * The program behind every service of the scenario, and every caller without a sidecar: `node app.js NAME ADDRESS PORT`.
 * Answers who it is and whom the mTLS end saw; POST /call finds another service as a program of its runtime would, and calls it.
 */
export interface EchoBody {
  readonly app: string;
  readonly principal: string;
}

/** How a program without a sidecar finds its target: its registry's own way, never an address of a gateway. */
export type Discovery =
  /** On a VM: the agent's resolver. */
  | { readonly kind: 'mesh-dns'; readonly server: string; readonly name: string; readonly port: number }
  | { readonly kind: 'consul-dns'; readonly server: string; readonly name: string }
  | { readonly kind: 'consul-api'; readonly url: string; readonly service: string }
  | {
      readonly kind: 'kubernetes';
      readonly url: string;
      readonly ca: string;
      readonly token: string;
      readonly namespace: string;
      readonly service: string;
      readonly port: string;
    };

export interface CallOutcome {
  readonly status: number;
  readonly body: string;
  /** Where it was found. */
  readonly found: string;
}

let healthy = true;

async function discover(how: Discovery): Promise<{ host: string; port: number }> {
  switch (how.kind) {
    case 'mesh-dns': {
      const resolver = new Resolver({ timeout: 2_000, tries: 2 });
      resolver.setServers([how.server]);
      const [host = ''] = await resolver.resolve4(how.name);
      return { host, port: how.port };
    }
    case 'consul-dns': {
      const resolver = new Resolver({ timeout: 2_000, tries: 2 });
      resolver.setServers([how.server]);
      const [record] = await resolver.resolveSrv(how.name);
      if (record === undefined) throw new Error(`${how.name} has no record`);
      const [host = ''] = await resolver.resolve4(record.name);
      return { host, port: record.port };
    }
    case 'consul-api': {
      const reply = await exchange({ url: `${how.url}/v1/health/service/${how.service}?passing` });
      const [entry] = JSON.parse(reply.body) as { Node: { Address: string }; Service: { Address: string; Port: number } }[];
      if (entry === undefined) throw new Error(`${how.service} is not in Consul`);
      return { host: entry.Service.Address || entry.Node.Address, port: entry.Service.Port };
    }
    case 'kubernetes': {
      const path = `/apis/discovery.k8s.io/v1/namespaces/${how.namespace}/endpointslices?labelSelector=kubernetes.io/service-name%3D${how.service}`;
      const headers = { authorization: `Bearer ${how.token}` };
      const reply = await exchange({ url: `${how.url}${path}`, ca: how.ca, headers });
      const { items } = JSON.parse(reply.body) as {
        items: { endpoints?: { addresses: string[] }[]; ports?: { name: string; port: number }[] }[];
      };
      for (const slice of items) {
        const host = slice.endpoints?.[0]?.addresses[0];
        const port = slice.ports?.find((p) => p.name === how.port)?.port;
        if (host !== undefined && port !== undefined) return { host, port };
      }
      throw new Error(`${how.service} has no endpoints`);
    }
  }
}

async function call(how: Discovery, path: string): Promise<CallOutcome> {
  const { host, port } = await discover(how);
  const request: HttpRequest = { url: `http://${host}:${port}${path}` };
  const reply: HttpReply = await exchange(request);
  return { status: reply.status, body: reply.body, found: `${host}:${port}` };
}

async function serve(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const send = (status: number, value: unknown) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (request.url === '/healthz') return send(healthy ? 200 : 500, { healthy });
  if (request.method === 'POST' && (request.url === '/fail' || request.url === '/recover')) {
    healthy = request.url === '/recover';
    return send(200, { healthy });
  }
  if (request.method === 'POST' && request.url === '/call') {
    try {
      return send(200, await call(JSON.parse(Buffer.concat(parts).toString('utf8')) as Discovery, '/from-plain'));
    } catch (error) {
      return send(502, { error: error instanceof Error ? error.message : String(error) });
    }
  }
  const header = request.headers['x-forwarded-client-cert'];
  const principal = /(?:^|;)URI=([^;,]+)/.exec(typeof header === 'string' ? header : '')?.[1] ?? '';
  send(200, { app: name, principal } satisfies EchoBody);
}

const [, , name = 'app', address = '127.0.0.1', port = '0'] = process.argv;
const server = createServer((request, response) => {
  serve(name, request, response).catch(() => response.destroy());
});
server.listen(Number(port), address);
process.once('SIGTERM', () => server.close(() => process.exit(0)));
