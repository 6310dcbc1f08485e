import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { register, XdsChannelCredentials } from '@grpc/grpc-js-xds';
import { type EchoReply, echoPath, echoService } from './echo.ts';

/**
 * A client of grpc-js-xds, told over HTTP on 127.0.0.1:8080: `/call?target=xds:///…&count=1&fresh=1&deadline=5000` answers with one outcome
 * for each call. `fresh`: on a channel of its own, with a connection of its own. With `certificates=FOLDER` the target is dialled as it is, with
 * the certificate in there and without asking who answers: what a caller does whom no xDS sends there.
 */
export type Outcome = { readonly ok: EchoReply } | { readonly error: string; readonly code: number };

register();
const kept = new Map<string, Client>();
const open = (target: string, fresh: boolean) =>
  new Client(target, new XdsChannelCredentials(credentials.createInsecure()), fresh ? { 'grpc.use_local_subchannel_pool': 1 } : {});

function say(client: Client, deadline: number): Promise<Outcome> {
  const { say: method } = echoService;
  if (method === undefined) throw new Error('no method');
  return new Promise((resolve) => {
    const done = (error: ServiceError | null, reply?: unknown) =>
      resolve(error === null ? { ok: reply as EchoReply } : { error: error.details, code: error.code });
    client.makeUnaryRequest(echoPath, method.requestSerialize, method.responseDeserialize, {}, { deadline: Date.now() + deadline }, done);
  });
}

function dial(target: string, folder: string): Client {
  const pem = readFileSync(`${folder}/identity.pem`);
  return new Client(
    target,
    credentials.createSsl(readFileSync(`${folder}/anchor-east.pem`), pem, pem, { checkServerIdentity: () => undefined }),
  );
}

async function calls(query: URLSearchParams): Promise<Outcome[]> {
  const target = query.get('target') ?? '';
  const folder = query.get('certificates');
  const fresh = query.get('fresh') === '1' || folder !== null;
  const client = folder !== null ? dial(target, folder) : fresh ? open(target, true) : (kept.get(target) ?? open(target, false));
  if (!fresh) kept.set(target, client);
  const outcomes: Outcome[] = [];
  for (let i = 0; i < Number(query.get('count') ?? '1'); i++) outcomes.push(await say(client, Number(query.get('deadline') ?? '5000')));
  if (fresh) client.close();
  return outcomes;
}

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://client');
  if (pathname !== '/call') return void response.end('here');
  calls(searchParams).then(
    (outcomes) => response.end(JSON.stringify(outcomes)),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
}).listen(8080, '127.0.0.1');
