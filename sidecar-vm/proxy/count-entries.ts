import type { FlowEntry } from '../../core/xds/envoy/index.ts';
import type { Flows, PlaintextCounter } from '../../gateway/index.ts';

type CountsEntries = Pick<Flows['sink'], 'entry'>;

/** What Envoy tells of its traffic is counted for the control plane, and of exposed ports by whether it came in the clear. */
export function countEntries(sink: CountsEntries, counter: PlaintextCounter): CountsEntries {
  return {
    entry: (entry, inbound) => {
      const refused = entry.refused !== '';
      // Nobody's traffic: it never came to the service.
      if (!refused) sink.entry(entry, inbound);
      if (inbound) countEntry(entry, counter);
    },
  };
}

function countEntry({ cluster, refused, source: address, certified: byMtls, seen }: FlowEntry, counter: PlaintextCounter): void {
  const of = { clusterName: refused === '' ? cluster : refused, address, byMtls };
  if (refused !== '') {
    if (seen.kind === 'connection') counter.told(of, 'refused');
  } else if (seen.kind === 'request' || seen.kind === 'opened') counter.told(of, seen.kind);
  else if (seen.kind === 'connection' && !seen.failed) counter.told(of, 'ended');
}
