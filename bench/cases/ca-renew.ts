import { join } from 'node:path';
import { createToken, Issuance, JoinTokenAttestor, Ledger } from '../../control/ca/index.ts';
import { openEmbeddedStore } from '../../control/store/index.ts';
import { formatJoinToken } from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { createCsr, generateKey, parseCertificate } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { BenchCase, BenchRun } from '../bench-case.ts';
import { cluster, openBenchAuthority, trustDomain, withFolder } from '../bench-pki.ts';
import { Fleet, type RenewalOver } from '../ca/fleet.ts';
import { startCaControl } from '../ca/start-control.ts';
import { alternate, perCpuSecond } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';

const day = 86_400_000;
/** Held to what a renewal costs where it is handled: its request checked, its grant looked up, its leaf signed, the ledger synced. */
const goalPerSecond = 5_000;

export const caRenew: BenchCase = {
  name: 'ca-renew',
  about: 'SVIDs renewed: request checked, grant looked up, leaf signed, ledger written; then the same over gRPC and mTLS',
  run: async (bench) => [await withFolder((dir) => handled(dir, bench)), ...(await withFolder((dir) => overGrpc(dir, bench)))],
};

/** As many renewals at once as a control plane has under way when it is busy. */
const batch = 64;

async function handled(dir: string, bench: BenchRun): Promise<CaseReport> {
  const authority = await openBenchAuthority(dir);
  const store = await openEmbeddedStore({ dir: join(dir, 'store'), clock: systemClock });
  try {
    const ledger = new Ledger(store);
    const attestors = [new JoinTokenAttestor(store, cluster, trustDomain)];
    const issuance = new Issuance({ authority, ledger, attestors, svidTtlMs: day, clock: systemClock, log: silentLog });
    const claims = { role: 'workload', namespace: 'shop', serviceAccount: 'orders', services: [], addresses: [] } as const;
    const made = await createToken(store, { claims, maxUses: batch, ttlMs: day }, systemClock.now());
    if (!made.ok) throw new Error(made.violations[0]?.message);
    const root = authority.bundle().roots[0] ?? Buffer.alloc(0);
    const text = formatJoinToken({ ...made.value, trustDomain, cluster, addresses: ['127.0.0.1:1'], root: Buffer.from(root) });
    const holders = await Promise.all(
      Array.from({ length: batch }, async (_, i) => {
        const csr = createCsr(generateKey());
        const input = { attestor: 'join-token', proof: Buffer.from(text), csr, instance: `vm-${i}`, source: '127.0.0.1' };
        const { chain, spiffeId } = await issuance.attest(input);
        const leaf = parseCertificate(chain[0] ?? Buffer.alloc(0));
        if (!leaf.ok) throw new Error('a leaf that cannot be read');
        return { csr, caller: { spiffeId, serial: leaf.value.serial } };
      }),
    );
    const once = async () => {
      await Promise.all(holders.map(({ caller, csr }) => issuance.renew(caller, csr)));
      return batch;
    };
    const { ours } = await alternate({ ours: async () => ({ renewed: await perCpuSecond(bench.roundMs, once) }) }, bench.rounds);
    return caseReport({
      name: 'SVIDs renewed, ledger and all',
      unit: '/CPU-s',
      better: 'more',
      ours: ours.renewed,
      goal: { text: `≥ ${goalPerSecond.toLocaleString('en')}`, met: (perSecond) => perSecond >= goalPerSecond },
    });
  } finally {
    await store.close();
  }
}

/** They share one process, whose CPU does not count: the control plane is another. */
const callers = 48;

async function overGrpc(dir: string, bench: BenchRun): Promise<readonly CaseReport[]> {
  const fleet = new Fleet();
  const control = await startCaControl({ dir: join(dir, 'control'), agents: callers, port: 0 });
  try {
    await fleet.join(callers, control.token, control.port);
    const round = (over: RenewalOver) => async () => {
      const before = await control.cost();
      await fleet.renewing(bench.roundMs * 5, over);
      const after = await control.cost();
      return { renewed: ((after.issued - before.issued) / (after.cpuUs - before.cpuUs)) * 1e6 };
    };
    const { standing, anew } = await alternate({ standing: round('a standing connection'), anew: round('one of its own') }, bench.rounds);
    const one = (name: string, ours: typeof standing.renewed) => caseReport({ name, unit: '/CPU-s', better: 'more', ours });
    return [
      one('SVIDs renewed over gRPC, on connections that stand', standing.renewed),
      one('SVIDs renewed over gRPC, each with an mTLS handshake', anew.renewed),
    ];
  } finally {
    fleet.stop();
    await control.stop();
  }
}
