import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BreakableServer, type Breakage } from './breakable-server.ts';
import {
  type ApiAnswer,
  type ApiRequest,
  createObject,
  type Definition,
  deleteObject,
  discover,
  failure,
  getObject,
  listObjects,
  replaceObject,
  selects,
} from './kubernetes-calls.ts';
import { type ApiObject, FakeStorage, type StorageEvent } from './kubernetes-storage.ts';

/** Answers in the server's place and returns true, or leaves the request to it. */
type Fault = (request: ApiRequest, response: ServerResponse) => boolean;

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
  /** Kinds that are installed, besides the built-in ones; their objects are in the collection `PLURAL.GROUP`. */
  readonly definitions: Definition[] = [];
  token = 'fake-token';
  fault: Fault | undefined;
  readonly server: BreakableServer;
  #folder = '';
  readonly #watchers = new Set<Watcher>();
  #bookmarks: NodeJS.Timeout | undefined;

  constructor() {
    this.server = new BreakableServer((request, response, body) => this.#handle(request, response, body));
    this.server.whenBroken(() => this.#breakWatches());
    this.storage.onChange((event) => this.#broadcast(event));
    this.storage.put('namespaces', { metadata: { name: 'default' } });
  }

  /** `bookmarkMs`: how often watches get a bookmark; 0: only when `bookmark` is called. */
  static async start(bookmarkMs = 0): Promise<FakeKubernetes> {
    const fake = new FakeKubernetes();
    fake.#folder = await mkdtemp(join(tmpdir(), 'fake-kubernetes-'));
    await fake.server.start();
    await fake.writeKubeconfig(fake.token);
    if (bookmarkMs > 0) fake.#bookmarks = setInterval(() => fake.bookmark(), bookmarkMs);
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
      clusters: [{ name: 'fake', cluster: { server: this.server.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'isthmus', user: { token } }],
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'isthmus' } }],
    };
    await writeFile(this.kubeconfig, JSON.stringify(config), { mode: 0o600 });
  }

  async stop(): Promise<void> {
    clearInterval(this.#bookmarks);
    await this.server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** A TCP reset in the midst of everything; the server itself stays up. */
  async resetConnections(): Promise<void> {
    await this.server.break('reset');
    await this.server.repair();
  }

  /** Restored from an empty backup: no data, and versions that start over. */
  async reset(): Promise<void> {
    this.storage.clear();
    this.storage.put('namespaces', { metadata: { name: 'default' } });
    await this.resetConnections();
  }

  /** Forgets all history, as etcd's compaction does. */
  compact(): void {
    this.storage.compactedAt = this.storage.version;
  }

  bookmark(): void {
    if (this.server.broken !== undefined) return;
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

  /** What a stream that is open says when the server breaks. */
  #breakWatches(): void {
    const how: Breakage | undefined = this.server.broken;
    for (const { response } of this.#watchers) {
      if (how === 'garbage') response.write('<html>welcome to the captive portal</html>\n');
      if (how === 'wrong-json') response.write('{"a":[1,2,3]}\n');
      if (how === 'half-json') response.write('{"type":"MODIFIED","object":{"metadata":', () => response.destroy());
      if (how === 'errors') response.destroy();
    }
    this.#watchers.clear();
  }

  #handle(message: IncomingMessage, response: ServerResponse, text: string): void {
    const request = parseRequest(message, this.definitions);
    if (request !== undefined) this.requests.push(request);
    if (request !== undefined && this.fault?.(request, response) === true) return;
    if (request?.watch === true && this.#knows(message)) this.#watch(request, response);
    else send(response, this.#answer(message, request, text));
  }

  #answer(message: IncomingMessage, request: ApiRequest | undefined, text: string): ApiAnswer {
    const discovered = request === undefined ? discover(message.url ?? '/', this.definitions) : undefined;
    if (request === undefined && discovered === undefined)
      return failure(404, 'NotFound', 'the server could not find the requested resource');
    if (!this.#knows(message)) return failure(401, 'Unauthorized', 'Unauthorized');
    if (request === undefined) return { code: 200, body: discovered };
    const { storage } = this;
    if (request.method === 'GET') return request.name === '' ? listObjects(storage, request) : getObject(storage, request);
    const body = text === '' ? undefined : (JSON.parse(text) as unknown);
    if (request.method === 'POST') return createObject(storage, request, body as ApiObject);
    if (request.method === 'PUT') return replaceObject(storage, request, body as ApiObject);
    if (request.method === 'DELETE') return deleteObject(storage, request, body);
    return failure(405, 'MethodNotAllowed', 'the fake does not do this');
  }

  #knows(message: IncomingMessage): boolean {
    return message.headers.authorization === `Bearer ${this.token}`;
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
    for (const event of this.storage.history) if (event.version > from) tell(watcher, event);
    this.#watchers.add(watcher);
    response.on('close', () => this.#watchers.delete(watcher));
  }

  #broadcast(event: StorageEvent): void {
    if (this.server.broken !== undefined) return;
    for (const watcher of this.#watchers) tell(watcher, event);
  }
}

function tell({ request, response }: Watcher, event: StorageEvent): void {
  if (event.collection !== request.collection) return;
  const now = event.type !== 'DELETED' && selects(request, event.object);
  const before = event.before !== undefined && selects(request, event.before);
  if (!now && !before) return;
  const type = now ? (before ? 'MODIFIED' : 'ADDED') : 'DELETED';
  response.write(`${JSON.stringify({ type, object: event.object })}\n`);
}

const path = /^\/(?:api\/v1|apis\/([a-z0-9.-]+)\/([a-z0-9]+))(?:\/namespaces\/([^/]+)(?=\/))?\/([a-z]+)(?:\/([^/]+))?$/;
const builtIn: readonly string[] = ['', 'discovery.k8s.io'];

function parseRequest(message: IncomingMessage, definitions: readonly Definition[]): ApiRequest | undefined {
  const url = new URL(message.url ?? '/', 'http://fake');
  const match = path.exec(url.pathname);
  if (match === null) return undefined;
  const [, group = '', version = '', namespace = '', plural = '', name = ''] = match;
  const installed = definitions.some((d) => d.group === group && d.version === version && d.plural === plural);
  if (!builtIn.includes(group) && !installed) return undefined;
  const query = url.searchParams;
  const watch = query.get('watch') === 'true';
  const collection = installed ? `${plural}.${group}` : plural;
  return { method: message.method ?? 'GET', path: url.pathname, query, collection, namespace, name, watch };
}

function send(response: ServerResponse, { code, body }: ApiAnswer): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
