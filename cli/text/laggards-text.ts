import type { RevocationStatus } from '../../core/admin/index.ts';
import { table } from './table.ts';

/** Who may still take what was revoked. */
export function laggardsText({ denied, laggards, proxyless }: RevocationStatus): string {
  const head = `${denied} certificates are denied; ${laggards.length === 0 ? 'every proxy has acknowledged it' : `${laggards.length} proxies lag`}.`;
  const list = table(
    ['LAGS', 'DIALECT', 'WHY', 'IDENTITY'],
    laggards.map((each) => [each.instance, each.dialect, each.reason, each.identity]),
  );
  return [
    head,
    ...(laggards.length === 0 ? [] : [list]),
    ...(proxyless.length === 0 ? [] : [`Proxyless gRPC, which no list reaches: ${proxyless.join(', ')}`]),
  ].join('\n');
}
