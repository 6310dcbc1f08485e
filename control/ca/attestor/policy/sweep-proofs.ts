import { type Store, storeLimits } from '../../../../core/store.ts';
import { decodeRecord } from '../../record.ts';
import { type ProofUse, usesPrefix } from './record.ts';

/** Forgets which keys used proofs that have ended. A singleton's task. */
export async function sweepProofs(store: Store, now: number): Promise<void> {
  const { entries } = await store.list(usesPrefix);
  const old = entries.filter((entry) => {
    const { until } = decodeRecord<ProofUse>(entry);
    return until !== 0 && until < now - 86_400_000;
  });
  for (let at = 0; at < old.length; at += storeLimits.opsPerTxn) {
    await store.txn({ if: [], then: old.slice(at, at + storeLimits.opsPerTxn).map(({ key }) => ({ op: 'delete', key })) });
  }
}
