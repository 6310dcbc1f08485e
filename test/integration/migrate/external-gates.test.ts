import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ExternalValue } from '../../../control/migrate/contract.ts';
import { externalGate } from '../../../control/migrate/external/index.ts';
import { certificatesToPem, generateKey, issueLeafWithNames, keyToPem, spkiOf } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

type Handler = (request: IncomingMessage, body: string, response: ServerResponse) => void;

const question = { namespace: 'shop', migration: 'orders-move', service: 'orders', weight: 5, step: 1, intervalMs: 8_000 };
const never = new AbortController().signal;

async function serve(t: TestContext, handle: Handler, tls?: { readonly key: string; readonly cert: string }): Promise<string> {
  const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    handle(request, Buffer.concat(parts).toString(), response);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    return closed;
  });
  return `${tls === undefined ? 'http' : 'https'}://localhost:${(server.address() as AddressInfo).port}`;
}

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'isthmus-gates-'));
  onEnd(t, () => rm(made, { recursive: true }));
  return made;
}

type Files = { readonly tokenFile?: string; readonly caFile?: string; readonly timeoutMs?: number };

function askHook(url: string, more: Files = {}): Promise<ExternalValue> {
  const gate = externalGate({ type: 'http', name: 'hook', url, timeoutMs: 10_000, ...more }, systemClock);
  assert.ok(gate !== undefined);
  return gate.ask(question, never);
}

function askPrometheus(url: string, more: Files = {}): Promise<ExternalValue> {
  const gate = externalGate({ type: 'prometheus', name: 'it', url, query: 'up', timeoutMs: 10_000, ...more }, systemClock);
  assert.ok(gate !== undefined);
  return gate.ask(question, never);
}

function reasonIn(value: ExternalValue, kind: ExternalValue['kind']): string {
  assert.equal(value.kind, kind, JSON.stringify(value));
  return 'reason' in value ? value.reason : '';
}

const scalar = (value = '1') => JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [Date.now() / 1000, value] } });

test('a gate of our own telemetry asks nobody', () => {
  assert.equal(externalGate({ type: 'error-rate', name: 'e', max: 0.01 }, systemClock), undefined);
});

test('the hook is told what moves and how far, and its answer is a pass, a breach or nothing', async (t) => {
  let answer: readonly [status: number, body: string] = [204, ''];
  const bodies: string[] = [];
  const url = await serve(t, (_, body, response) => {
    bodies.push(body);
    response.writeHead(answer[0]).end(answer[1]);
  });
  reasonIn(await askHook(url), 'pass');
  assert.deepEqual(JSON.parse(bodies[0] ?? ''), { namespace: 'shop', migration: 'orders-move', service: 'orders', weight: 5, step: 1 });
  answer = [200, '{"rollback": true, "reason": "fine\\nall the same"}'];
  assert.match(reasonIn(await askHook(url), 'pass'), /fine all the same$/);
  answer = [409, '{"rollback": true, "reason": "orders are lost"}'];
  assert.match(reasonIn(await askHook(url), 'breach'), /asks to go back: orders are lost$/);
  answer = [400, '{"rollback": true}'];
  reasonIn(await askHook(url), 'breach');
  for (const [status, body] of [
    [400, '{"rollback": false}'],
    [400, '{"rollback": "true"}'],
    [400, 'rollback: true'],
    [400, 'null'],
    [401, ''],
    [404, '{}'],
    [429, ''],
    [500, '{"rollback": true}'],
    [503, ''],
  ] as const) {
    answer = [status, body];
    assert.match(reasonIn(await askHook(url), 'no-data'), new RegExp(`answered ${status}`));
  }
});

test('a redirect is not followed, and where it leads is not told the token', async (t) => {
  const seen: string[] = [];
  const thief = await serve(t, (request, _, response) => {
    seen.push(String(request.headers.authorization));
    response.end(scalar());
  });
  const url = await serve(t, (_, __, response) => void response.writeHead(307, { location: thief }).end());
  const tokenFile = join(await folder(t), 'token');
  await writeFile(tokenFile, 'secret-1');
  for (const ask of [askHook, askPrometheus]) {
    assert.match(reasonIn(await ask(url, { tokenFile }), 'no-data'), /answered 307: redirects are not followed/);
  }
  assert.deepEqual(seen, []);
});

test('the token is read anew each time, and no reason holds it', async (t) => {
  const seen: string[] = [];
  const url = await serve(t, (request, _, response) => {
    seen.push(String(request.headers.authorization));
    response.writeHead(401).end('secret-1');
  });
  const tokenFile = join(await folder(t), 'token');
  assert.match(reasonIn(await askPrometheus(url, { tokenFile }), 'no-data'), /was not asked: tokenFile .* cannot be read \(ENOENT\)/);
  await writeFile(tokenFile, 'secret-1\n');
  const refused = reasonIn(await askPrometheus(url, { tokenFile }), 'no-data');
  assert.match(refused, /answered 401: check the gate's tokenFile/);
  assert.doesNotMatch(refused, /secret/);
  await writeFile(tokenFile, 'secret-2\n');
  await askPrometheus(url, { tokenFile });
  assert.deepEqual(seen, ['Bearer secret-1', 'Bearer secret-2']);
});

test('credentials and paths in a URL are in no reason', async (t) => {
  const url = await serve(t, (_, __, response) => void response.writeHead(500).end('no'));
  const secret = url.replace('//', '//me:hush@');
  for (const ask of [askHook, askPrometheus]) assert.doesNotMatch(reasonIn(await ask(`${secret}/key-77`), 'no-data'), /hush|key-77/);
});

test('TLS holds to the authority of caFile, which is read anew', async (t) => {
  const pki = new MeshPki();
  const key = generateKey();
  const leaf = issueLeafWithNames(pki.root, spkiOf(key), { uris: [], dns: ['localhost'] }, Date.now(), 3_600_000);
  const url = await serve(t, (_, __, response) => void response.end(scalar('7')), {
    key: keyToPem(key),
    cert: certificatesToPem([leaf.der]),
  });
  const caFile = join(await folder(t), 'ca.pem');
  await writeFile(caFile, certificatesToPem([new MeshPki().root.certificate.der]));
  assert.match(reasonIn(await askPrometheus(url, { caFile }), 'no-data'), /check the gate's caFile/);
  await writeFile(caFile, certificatesToPem([pki.root.certificate.der]));
  assert.deepEqual(await askPrometheus(url, { caFile }), { kind: 'value', value: 7 });
});

test('what is too long, no JSON, another format, partial or an error with a value is no data', async (t) => {
  let answer: readonly [status: number, body: string] = [200, ''];
  const url = await serve(t, (_, __, response) => void response.writeHead(answer[0]).end(answer[1]));
  const warned = JSON.stringify({ ...JSON.parse(scalar()), warnings: ['remote read failed'] });
  const histogram = { resultType: 'vector', result: [{ metric: {}, histogram: [Date.now() / 1000, {}] }] };
  for (const [status, body, reason] of [
    [200, scalar(`1${' '.repeat(1024 * 1024)}`), /more than 1048576 bytes/],
    [200, '<html>', /no JSON/],
    [200, '[]', /another format/],
    [200, '{"status":"success"}', /another format/],
    [200, '{"status":"success","data":{"resultType":"scalar","result":["now","1"]}}', /another format/],
    [200, scalar(''), /gives : there were no requests|gives/],
    [200, warned, /warning, so data may be missing: remote read failed/],
    [200, JSON.stringify({ status: 'success', data: histogram }), /gives a histogram/],
    [503, scalar(), /answered 503/],
    [422, '{"status":"error","error":"many-to-many\\nmatching"}', /refused the query 'up': many-to-many matching/],
  ] as const) {
    answer = [status, body];
    assert.match(reasonIn(await askPrometheus(url), 'no-data'), reason);
  }
});

test('an answer that does not come, or does not end, ends at the gate’s timeout; an abort ends it at once', async (t) => {
  let asked = 0;
  const url = await serve(t, (_, __, response) => {
    asked += 1;
    if (asked % 2 === 0) response.write('{"status":');
  });
  const clock = new ManualClock();
  const gate = externalGate({ type: 'prometheus', name: 'it', url, query: 'up', timeoutMs: 5_000 }, clock);
  assert.ok(gate !== undefined);
  for (const turn of [1, 2]) {
    const answer = gate.ask(question, never);
    await until('the request', () => asked === turn);
    clock.advance(5_000);
    assert.match(reasonIn(await answer, 'no-data'), /did not answer within 5000 ms/);
  }
  const stop = new AbortController();
  const answer = gate.ask(question, stop.signal);
  await until('the request', () => asked === 3);
  stop.abort();
  assert.match(reasonIn(await answer, 'no-data'), /was not waited for/);
  assert.equal(clock.sleeping, 0);
});
