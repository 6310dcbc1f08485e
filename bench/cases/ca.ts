import { join } from 'node:path';
import { createToken, Issuance, JoinTokenAttestor, Ledger } from '../../control/ca/index.ts';
import { openEmbeddedStore } from '../../control/store/index.ts';
import { formatJoinToken } from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { createCsr, generateKey, parseCertificate } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { BenchCase, BenchRun } from '../bench-case.ts';
import { cluster, openBenchAuthority, trustDomain, withFolder } from '../bench-pki.ts';
import { Fleet } from '../ca/fleet.ts';
import { startCaControl } from '../ca/start-control.ts';
import { alternate, figureOf, perCpuSecond } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';

const day = 86_400_000;
const goalPerSecond = 5_000;
const goalBytes = 150 * 1024;
const goalBackMs = 90_000;

export const caRenew: BenchCase = {
  name: 'ca-renew',
  about: 'SVIDs renewed: request checked, grant looked up, leaf signed, ledger written; without the network',
  run: (bench) => withFolder((dir) => renewals(dir, bench)),
};

export const caAgents: BenchCase = {
  name: 'ca-agents',
  about: '10,000 agents held by one control plane over gRPC (--quick: 500): memory, CPU, and the way back after it was killed',
  run: (bench) => withFolder((dir) => agents(dir, bench)),
};

/** As many renewals at once as a control plane has under way when it is busy. */
const batch = 64;

async function renewals(dir: string, bench: BenchRun): Promise<readonly CaseReport[]> {
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
    return [
      caseReport({
        name: 'SVIDs renewed, ledger and all',
        unit: '/CPU-s',
        better: 'more',
        ours: ours.renewed,
        goal: { text: `≥ ${goalPerSecond.toLocaleString('en')}`, met: (perSecond) => perSecond >= goalPerSecond },
      }),
    ];
  } finally {
    await store.close();
  }
}

/** What is there before the first of those that count: code that has run, pools that have grown. */
const warmUp = 50;

async function agents(dir: string, bench: BenchRun): Promise<readonly CaseReport[]> {
  const many = bench.roundMs < 1_000 ? 500 : 10_000;
  const steadyMs = bench.roundMs * 10;
  const fleet = new Fleet(join(dir, 'agents'));
  let control = await startCaControl({ dir: join(dir, 'control'), agents: many, port: 0 });
  try {
    const address = `127.0.0.1:${control.port}`;
    await fleet.join(warmUp, control.token, address);
    const before = await control.usage();
    const begun = performance.now();
    await fleet.join(many - warmUp, control.token, address);
    bench.note(`${many} agents had joined after ${Math.round(performance.now() - begun)} ms.`);
    await systemClock.sleep(steadyMs);
    const held = await control.usage();
    await systemClock.sleep(steadyMs);
    const later = await control.usage();
    await control.kill();
    const killed = performance.now();
    control = await startCaControl({ dir: join(dir, 'control'), agents: 1, port: control.port });
    await fleet.backAndRenewed();
    const backMs = performance.now() - killed;
    const one = (name: string, unit: string, value: number, goal?: { text: string; met: (ours: number) => boolean }) =>
      caseReport({ name, unit, better: 'less', ours: figureOf([value]), ...(goal === undefined ? {} : { goal }) });
    return [
      one(`memory per agent, ${many} agents`, 'bytes', (held.rssBytes - before.rssBytes) / (many - warmUp), {
        text: `≤ ${goalBytes.toLocaleString('en')} bytes`,
        met: (bytes) => bytes <= goalBytes,
      }),
      one(`heartbeats of ${many} agents`, 'CPU ms/s', (later.cpuUs - held.cpuUs) / steadyMs),
      one(`all ${many} back and renewed after a kill`, 'ms', backMs, { text: `< ${goalBackMs} ms`, met: (ms) => ms < goalBackMs }),
    ];
  } finally {
    fleet.stop();
    await control.stop();
  }
}
