import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { AdminServer, adminTlsOf, createFirstAdmin, openAuditLog, svidCallers } from '../../control/admin/index.ts';
import { openEmbeddedStore } from '../../control/store/index.ts';
import { createMetrics } from '../../control/telemetry/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { AccessPolicyObject, Role } from '../../core/config/index.ts';
import { type Svid, svidKeyPem } from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { controlServiceAccount, systemNamespace } from '../../core/model/index.ts';
import { certificatesToPem } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { FakeControlApi } from '../fakes/control-api.ts';
import { MeshPki } from './mesh-pki.ts';

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

export interface CallOptions {
  readonly bearer?: string;
  readonly svid?: Svid;
  readonly body?: unknown;
}

/** A real admin API on loopback over a fake control plane. */
export async function startAdmin(t: TestContext, options: { clock?: Clock; api?: FakeControlApi; port?: number } = {}) {
  const clock = options.clock ?? systemClock;
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-admin-'));
  const pki = new MeshPki('mesh.test', () => clock.now());
  const source = pki.source('east', systemNamespace, controlServiceAccount);
  const store = await openEmbeddedStore({ dir: join(dir, 'store'), clock });
  const auditPath = join(dir, 'audit.jsonl');
  const audit = await openAuditLog(auditPath);
  const api = options.api ?? new FakeControlApi();
  const policies: AccessPolicyObject[] = [];
  const metrics = createMetrics({ cluster: 'east' });
  const credential = await createFirstAdmin(store, { clock, random: (n) => crypto.getRandomValues(new Uint8Array(n)), replace: false });
  const server = new AdminServer({
    listen: { host: '127.0.0.1', port: options.port ?? 0 },
    tls: adminTlsOf(source),
    api,
    store,
    audit,
    clock,
    log: silentLog,
    metrics,
    policies: () => policies,
    callerOfSocket: svidCallers(source, () => clock.now()),
  });
  await server.start();
  t.after(async () => {
    await server.dispose();
    await audit.close();
    await store.close();
    await rm(dir, { recursive: true });
  });
  const { port } = server.address;
  return {
    dir,
    pki,
    source,
    store,
    api,
    policies,
    server,
    port,
    metrics,
    auditPath,
    secret: credential.secret,
    rootPem: certificatesToPem([pki.root.certificate.der]),
    auditLines: async () =>
      (await readFile(auditPath, 'utf8'))
        .split('\n')
        .filter((l) => l !== '')
        .map((l) => JSON.parse(l) as Record<string, unknown>),
    call: (method: string, path: string, how: CallOptions = {}) => call(pki, port, method, path, how),
  };
}

export function policy(role: Role, namespaces: string[], subject: string): AccessPolicyObject {
  return { kind: 'AccessPolicy', name: `${role}s`, namespace: 'default', spec: { role, namespaces, subjects: [subject] } };
}

function call(pki: MeshPki, port: number, method: string, path: string, how: CallOptions): Promise<Reply> {
  const text = how.body === undefined ? '' : typeof how.body === 'string' ? how.body : JSON.stringify(how.body);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        agent: false,
        ca: certificatesToPem([pki.root.certificate.der]),
        checkServerIdentity: () => undefined,
        ...(how.svid === undefined ? {} : { key: svidKeyPem(how.svid), cert: how.svid.chainPem }),
        headers: {
          ...(how.bearer === undefined ? {} : { authorization: `Bearer ${how.bearer}` }),
          ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const received = Buffer.concat(parts).toString('utf8');
          resolve({ status: response.statusCode ?? 0, body: received === '' ? undefined : JSON.parse(received) });
        });
      },
    );
    sent.on('error', reject);
    sent.end(text);
  });
}
