import type { EndpointState } from '../../state/types.ts';
import type { ConnectionReport, ConnectionSource, ResponseFlag } from '../contract.ts';
import type { NativeReport } from './messages.ts';

/** The crate's report in the contract's words. Pure; asked for each connection, so it copies no object twice. */
export function readReport(report: NativeReport, upstream: EndpointState | undefined): ConnectionReport {
  const { count, peer, end } = report;
  const read: Writable<ConnectionReport> = {
    id: connectionId(report.number),
    listener: report.listener,
    source: addressOf(report.source),
    destination: addressOf(report.destination ?? ''),
    outcome: report.outcome,
    sni: report.sni,
    clusterName: report.cluster,
    bytesReceived: report.bytesReceived,
    bytesSent: report.bytesSent,
    durationMs: report.durationMs,
    attempts: report.attempts,
    flags: report.flags as readonly ResponseFlag[],
    reason: report.reason,
    detail: report.detail,
  };
  if (peer !== null) read.peer = peer;
  if (end !== null) read.end = end;
  if (upstream !== undefined) read.upstream = upstream;
  if (count !== 1) read.count = count;
  return read;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Never one of the node engine's, which begin with another letter. */
export function connectionId(number: number): string {
  return `n${number.toString(36)}`;
}

/** ADDRESS:PORT or [ADDRESS]:PORT. */
export function addressOf(text: string): ConnectionSource {
  const colon = text.lastIndexOf(':');
  if (colon < 0) return { address: '', port: 0 };
  const address = text.startsWith('[') ? text.slice(1, colon - 1) : text.slice(0, colon);
  return { address, port: Number(text.slice(colon + 1)) };
}
