import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiObject, FakeStorage, matchesSelector, type StorageEvent, type StoredObject } from './kubernetes-storage.ts';

/** A request as the fake understood it. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** `services`, `endpointslices`, ... */
  readonly collection: string;
  readonly namespace: string;
  readonly name: string;
  readonly watch: boolean;
}

/** Answers in the server's place and returns true, or leaves the request to it. */
type Fault = (request: ApiRequest, response: ServerResponse, socket: Socket) => boolean;

interface Watcher {
  readonly request: ApiRequest;
  readonly response: ServerResponse;
}

/**
 * A Kubernetes API server as far as Isthmus uses one: lists in pages, watches with bookmarks and 410, optimistic concurrency, and
 * faults on demand. Speaks the real protocol on a port of its own; held to the real server by the same contract suite.
 */
export class FakeKubernetes {
  readonly storage = new FakeStorage();
  readonly requests: ApiRequest[] = [];
  token = 'fake-token';
  fault: Fault | undefined;
  #server: Server | undefined;
  #port = 0;
  #folder = '';
  readonly #sockets = new Set<Socket>();
  readonly #watchers = new Set<Watcher>();

  static async start(): Promise<FakeKubernetes> {
    const fake = new FakeKubernetes();
    fake.#folder = await mkdtemp(join(tmpdir(), 'fake-kubernetes-'));
    fake.storage.onChange((event) => fake.#broadcast(event));
    fake.storage.put('namespaces', { metadata: { name: 'default' } });
    await fake.up();
    await fake.writeKubeconfig(fake.token);
    return fake;
  }

  get kubeconfig(): string {
    return join(this.#folder, 'kubeconfig');
  }

  get watching(): number {
    return this.#watchers.size;
  }

  async writeKubeconfig(token: string): Promise<void> {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'fake',
      clusters: [{ name: 'fake', cluster: { server: `http://127.0.0.1:${this.#port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'isthmus', user: { token } }],
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'isthmus' } }],
    };
    await writeFile(this.kubeconfig, JSON.stringify(config), { mode: 0o600 });
  }

  /** Listens (again), on the port it had before. */
  async up(): Promise<void> {
    const server = createServer((request, response) => void this.#handle(request, response));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.resetConnections();
    await closed;
  }

  async stop(): Promise<void> {
    await this.down();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** As a crash of the server or of something in between does it: a TCP reset in the midst of everything. */
  resetConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#watchers.clear();
  }

  /** Forgets all history, as etcd's compaction does. */
  compact(): void {
    this.storage.compactedAt = this.storage.version;
  }

  bookmark(): void {
    for (const { request, response } of this.#watchers) {
      const object = { kind: request.collection, metadata: { resourceVersion: String(this.storage.version), creationTimestamp: null } };
      response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
    }
  }

  /** Writes `text` as it is into every watch of `collection`. */
  inject(collection: string, text: string): void {
    for (const { request, response } of this.#watchers) if (request.collection === collection) response.write(text);
  }

  endWatches(): void {
    for (const { response } of this.#watchers) response.end();
    this.#watchers.clear();
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = parseRequest(message);
    if (request === undefined) return status(response, 404, 'NotFound', 'the server could not find the requested resource');
    this.requests.push(request);
    if (this.fault?.(request, response, message.socket) === true) return;
    if (message.headers.authorization !== `Bearer ${this.token}`) return status(response, 401, 'Unauthorized', 'Unauthorized');
    if (request.method === 'GET' && request.watch) return this.#watch(request, response);
    if (request.method === 'GET' && request.name === '') return this.#list(request, response);
    if (request.method === 'GET') return answer(response, 200, this.storage.get(request.collection, request.namespace, request.name), request);
    const body = await readBody(message);
    if (request.method === 'POST') return this.#create(request, body as ApiObject, response);
    if (request.method === 'PUT') return this.#replace(request, body as ApiObject, response);
    if (request.method === 'DELETE') return this.#delete(request, body, response);
    return status(response, 405, 'MethodNotAllowed', 'the fake does not do this');
  }

  #list(request: ApiRequest, response: ServerResponse): void {
    const limit = Number(request.query.get('limit') ?? 0);
    const token = request.query.get('continue');
    const all = this.storage.list(request.collection).filter((object) => selects(request, object));
    const [version, start] = token === null ? [this.storage.version, 0] : decodeToken(token);
    if (version < this.storage.compactedAt) return status(response, 410, 'Expired', 'The provided continue parameter is too old');
    const end = limit === 0 ? all.length : Math.min(all.length, start + limit);
    const metadata = { resourceVersion: String(version), ...(end < all.length ? { continue: encodeToken(version, end) } : {}) };
    json(response, 200, { kind: 'List', apiVersion: 'v1', metadata, items: end === start ? null : all.slice(start, end) });
  }

  #watch(request: ApiRequest, response: ServerResponse): void {
    const from = Number(request.query.get('resourceVersion'));
    response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    if (from < this.storage.compactedAt) {
      const object = { kind: 'Status', status: 'Failure', reason: 'Expired', code: 410, message: `too old resource version: ${from}` };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    const watcher = { request, response };
    for (const event of this.storage.history) if (event.version > from) send(watcher, event);
    this.#watchers.add(watcher);
    response.on('close', () => this.#watchers.delete(watcher));
  }

  #broadcast(event: StorageEvent): void {
    for (const watcher of this.#watchers) send(watcher, event);
  }

  #create(request: ApiRequest, object: ApiObject, response: ServerResponse): void {
    const { collection, namespace } = request;
    if (namespace !== '' && this.storage.get('namespaces', '', namespace) === undefined) {
      return status(response, 404, 'NotFound', `namespaces "${namespace}" not found`);
    }
    if (this.storage.get(collection, namespace, object.metadata.name) !== undefined) {
      return status(response, 409, 'AlreadyExists', `${collection} "${object.metadata.name}" already exists`);
    }
    if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(object.metadata.name)) {
      return status(response, 422, 'Invalid', `Service "${object.metadata.name}" is invalid: metadata.name: Invalid value`);
    }
    json(response, 201, this.storage.put(collection, { ...object, metadata: { ...object.metadata, namespace } }));
  }

  #replace(request: ApiRequest, object: ApiObject, response: ServerResponse): void {
    const { collection, namespace, name } = request;
    const live = this.storage.get(collection, namespace, name);
    if (live === undefined) return status(response, 404, 'NotFound', `${collection} "${name}" not found`);
    const version = object.metadata['resourceVersion'];
    if (version !== undefined && version !== live.metadata.resourceVersion) {
      return status(response, 409, 'Conflict', `Operation cannot be fulfilled on ${collection} "${name}": the object has been modified`);
    }
    json(response, 200, this.storage.put(collection, { ...object, metadata: { ...object.metadata, namespace } }));
  }

  #delete(request: ApiRequest, body: unknown, response: ServerResponse): void {
    const { collection, namespace, name } = request;
    const live = this.storage.get(collection, namespace, name);
    if (live === undefined) return status(response, 404, 'NotFound', `${collection} "${name}" not found`);
    const wanted = (body as { preconditions?: { uid?: string; resourceVersion?: string } } | undefined)?.preconditions ?? {};
    if ((wanted.uid ?? live.metadata.uid) !== live.metadata.uid || (wanted.resourceVersion ?? live.metadata.resourceVersion) !== live.metadata.resourceVersion) {
      return status(response, 409, 'Conflict', `Precondition failed on ${collection} "${name}"`);
    }
    json(response, 200, this.storage.delete(collection, namespace, name));
  }
}

function send({ request, response }: Watcher, event: StorageEvent): void {
  if (event.collection !== request.collection) return;
  const now = event.type !== 'DELETED' && selects(request, event.object);
  const before = event.before !== undefined && selects(request, event.before);
  if (!now && !before) return;
  const type = now ? (before ? 'MODIFIED' : 'ADDED') : 'DELETED';
  response.write(`${JSON.stringify({ type, object: event.object })}\n`);
}

function selects(request: ApiRequest, object: StoredObject): boolean {
  if (request.namespace !== '' && object.metadata.namespace !== request.namespace) return false;
  return matchesSelector(object, request.query.get('labelSelector') ?? '');
}

function parseRequest(message: IncomingMessage): ApiRequest | undefined {
  const url = new URL(message.url ?? '/', 'http://fake');
  const match = /^\/(?:api\/v1|apis\/discovery\.k8s\.io\/v1)(?:\/namespaces\/([^/]+)(?=\/))?\/([a-z]+)(?:\/([^/]+))?$/.exec(url.pathname);
  if (match === null) return undefined;
  const [, namespace = '', collection = '', name = ''] = match;
  const query = url.searchParams;
  const watch = query.get('watch') === 'true';
  return { method: message.method ?? 'GET', path: url.pathname, query, collection, namespace, name, watch };
}

async function readBody(message: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of message) text += String(chunk);
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

function answer(response: ServerResponse, code: number, object: StoredObject | undefined, request: ApiRequest): void {
  if (object === undefined) return status(response, 404, 'NotFound', `${request.collection} "${request.name}" not found`);
  json(response, code, object);
}

function json(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

export function status(response: ServerResponse, code: number, reason: string, message: string): void {
  json(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code });
}

function encodeToken(version: number, start: number): string {
  return Buffer.from(JSON.stringify([version, start])).toString('base64url');
}

function decodeToken(token: string): [number, number] {
  return JSON.parse(Buffer.from(token, 'base64url').toString()) as [number, number];
}
