import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { Authority, caInit, createToken, Issuance, JoinTokenAttestor, Ledger, loadRoot, ownSvidSource } from '../../control/ca/index.ts';
import { createCatalog } from '../../control/catalog/index.ts';
import { GrpcFront, identityServer } from '../../control/grpc/index.ts';
import { Instances, Liveness, Presence, RefusedRegistrations, registrationServer, Takeovers } from '../../control/registration/index.ts';
import { openEmbeddedStore } from '../../control/store/index.ts';
import { createRefusals } from '../../control/telemetry/index.ts';
import { formatJoinToken, readIfThere } from '../../core/identity/index.ts';
import { type Log, silentLog } from '../../core/log.ts';
import { clusterId, sourceId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { IdentityService, RegistrationService } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { createVmSource } from '../../registries/vm/index.ts';
import { cluster, trustDomain } from '../bench-pki.ts';
import type { CaControlBrief, CaControlCost, CaControlOrder, CaControlReady, CaControlUsage } from './contract.ts';

const day = 86_400_000;
const ttlMs = 15_000;

/** Identity, registration and the catalog of what registered, on the real store and listener. Ends with its parent. */
export async function serveCaControl(): Promise<void> {
  const [brief] = (await once(process, 'message')) as [CaControlBrief];
  const clock = systemClock;
  let issued = 0;
  const info = (_: object, message: string) => {
    if (message === 'SVID issued') issued += 1;
  };
  const log: Log = { ...silentLog, info };
  const rootDir = join(brief.dir, 'root');
  const known = (await readIfThere(join(rootDir, 'root.pem'))) !== undefined;
  const root = known ? await loadRoot(rootDir, trustDomain) : await caInit(rootDir, trustDomain, clock.now());
  const opened = { dir: join(brief.dir, 'ca'), cluster, trustDomain, root, intermediateTtlMs: 90 * day, clock, log };
  const authority = await Authority.open(opened);
  const store = await openEmbeddedStore({ dir: join(brief.dir, 'store'), clock });
  const stop = new AbortController();
  const source = ownSvidSource(authority, { ttlMs: day, clock, log, signal: stop.signal });
  const ledger = new Ledger(store);
  const attestors = [new JoinTokenAttestor(store, cluster, trustDomain)];
  const issuance = new Issuance({ authority, ledger, attestors, svidTtlMs: day, clock, log });
  const limits = { connections: 100_000, connectionsPerSource: 100_000, handshakeMs: 120_000 };
  const identity = { svid: source.current(), bundle: authority.bundle() };
  const front = new GrpcFront({ host: '127.0.0.1', port: brief.port, identity, clock, log, limits });
  const callerOf = front.callerOf.bind(front);
  front.addService(IdentityService, identityServer({ issuance, authority, callerOf, clock, log }));
  const instances = new Instances(store);
  const presence = new Presence(store, randomUUID());
  const crowded = front.crowdedWithin.bind(front);
  const liveness = new Liveness({ instances, presence, ttlMs, crowded, clock, log });
  const refused = new RefusedRegistrations(createRefusals(log));
  const takeovers = new Takeovers({ instances, clock, log });
  front.addService(
    RegistrationService,
    registrationServer({ instances, liveness, ledger, callerOf, ttlMs, takeovers, refused, clock, log }),
  );
  const catalog = createCatalog({ cluster: clusterId(cluster), store, clock, expireAfterMs: 0 });
  await catalog.start(stop.signal);
  const deps = { id: sourceId('vm/agents'), cluster: clusterId(cluster), clock, random: Math.random, log };
  catalog.addSource(createVmSource(store, deps), { claims: ['*/*'], runtime: 'vm' });
  await front.start(stop.signal);
  const background = [presence.keep(clock, log, stop.signal), liveness.run(stop.signal)];
  const cost = (): CaControlCost => {
    const { user, system } = process.cpuUsage();
    return { cpuUs: user + system, issued };
  };
  process.on('message', async (order: CaControlOrder) => {
    if (order === 'cost') return void process.send?.(cost());
    globalThis.gc?.();
    const registered = (await instances.list()).filter(({ record }) => !record.expired).length;
    const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage();
    process.send?.({ ...cost(), rssBytes, heapBytes, registered } satisfies CaControlUsage);
  });
  const claims = { role: 'workload', namespace: 'shop', serviceAccount: 'orders', addresses: [] } as const;
  const services = [{ namespace: 'shop', name: 'orders', ports: [80] }];
  const made = await createToken(store, { claims: { ...claims, services }, maxUses: Math.max(1, brief.agents), ttlMs: day }, clock.now());
  if (!made.ok) throw new Error(made.violations[0]?.message);
  const addresses = [`127.0.0.1:${front.port}`];
  const token = formatJoinToken({ ...made.value, trustDomain, cluster, addresses, root: root.certificate.der });
  process.send?.({ port: front.port, token } satisfies CaControlReady);
  await once(process, 'disconnect');
  stop.abort();
  await front.dispose();
  await Promise.all(background);
  await catalog.dispose();
  await store.close();
}
