import { casesFor, type OpenHarness } from './harness.ts';
import { keyCases } from './key-cases.ts';
import { leaseCases } from './lease-cases.ts';
import { watchCases } from './watch-cases.ts';

/** What every Store must do; the embedded one and real etcd are held to the same. */
export function storeContract(kind: string, open: OpenHarness): void {
  const storeCase = casesFor(kind, open);
  keyCases(storeCase);
  watchCases(storeCase);
  leaseCases(storeCase);
}
