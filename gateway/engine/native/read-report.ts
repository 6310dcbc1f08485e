import type { EndpointState } from '../../state/types.ts';
import type { ConnectionReport, ConnectionSource, ResponseFlag } from '../contract.ts';
import type { NativeReport } from './messages.ts';

/** The crate's report in the contract's words. Pure. */
export function readReport(report: NativeReport, upstream: EndpointState | undefined): ConnectionReport {
  const { count, listener, outcome, sni, bytesReceived, bytesSent, durationMs, attempts, reason, detail } = report;
  return {
    ...{ id: connectionId(report.number), listener, outcome, sni, clusterName: report.cluster },
    ...{ source: addressOf(report.source), destination: addressOf(report.destination ?? '') },
    ...(report.peer === null ? {} : { peer: report.peer }),
    ...(report.end === null ? {} : { end: report.end }),
    ...(upstream === undefined ? {} : { upstream }),
    ...(count === 1 ? {} : { count }),
    ...{ bytesReceived, bytesSent, durationMs, attempts, flags: report.flags as readonly ResponseFlag[], reason, detail },
  };
}

/** Never one of the node engine's, which begin with another letter. */
function connectionId(number: number): string {
  return `n${number.toString(36)}`;
}

/** ADDRESS:PORT or [ADDRESS]:PORT. */
function addressOf(text: string): ConnectionSource {
  const colon = text.lastIndexOf(':');
  if (colon < 0) return { address: '', port: 0 };
  const address = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { address, port: Number(text.slice(colon + 1)) };
}
