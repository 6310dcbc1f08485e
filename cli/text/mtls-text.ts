import type { MtlsPort, MtlsStatus } from '../../core/admin/index.ts';
import { table } from './table.ts';

/** Callers of one port in a list of all. */
const mostShown = 5;

/** Pure. `whole`: every caller, as one service was asked for. */
export function mtlsText({ ports }: MtlsStatus, whole: boolean): string {
  if (ports.length === 0) return 'no service with an agent or a sidecar is known';
  const head = ['SERVICE', 'PORT', 'MODE', 'DECIDED BY', 'EXPOSED', 'PLAINTEXT', 'REFUSED', 'MTLS', 'LAST PLAINTEXT', 'STRICT IS SAFE'];
  const rows = ports.map((each) => [
    each.service,
    String(each.port),
    each.mode,
    each.decidedBy?.replace('PeerAuthentication ', '') ?? "the mesh's default",
    `${each.exposed}/${each.instances}`,
    calls(each.plaintext),
    String(each.plaintext.refused),
    calls(each.mtls),
    each.plaintext.lastSeen ?? '-',
    each.strictIsSafe,
  ]);
  return [table(head, rows), ...ports.flatMap((each) => detail(each, whole))].join('\n');
}

function calls({ connections, requests }: MtlsPort['mtls']): string {
  return requests === 0 ? String(connections) : `${connections} (${requests} requests)`;
}

const verdicts = { yes: 'STRICT is safe', no: 'STRICT is not safe', unknown: 'whether STRICT is safe is not known' } as const;

function detail({ service, port, callers, moreCallers, strictIsSafe, reason }: MtlsPort, whole: boolean): string[] {
  if (callers.length === 0 && !whole) return [];
  const shown = whole ? callers : callers.slice(0, mostShown);
  const more = callers.length - shown.length + moreCallers;
  const lines = shown.map(({ address, known, connections, refused, lastSeen }) => {
    const who = known.length === 0 ? '' : ` (${known.join(', ')})`;
    return `  ${address}${who}: ${connections} let in, ${refused} refused, last at ${lastSeen}`;
  });
  return ['', `${service} port ${port}: ${verdicts[strictIsSafe]}: ${reason}`, ...lines, ...(more > 0 ? [`  and ${more} more`] : [])];
}
