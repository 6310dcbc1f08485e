import type { ClientDuplexStream } from '@grpc/grpc-js';
import { type ControlChannel, streamEnd } from '../../../core/identity/index.ts';
import { type ReportReply, type ReportRequest, TelemetryClient } from '../../../core/xds/gen/isthmus/telemetry/v1/telemetry.ts';

/** One Telemetry.Report stream. Ends once. */
export interface ReportStream {
  send(report: ReportRequest): void;
  finish(): void;
  destroy(): void;
  /** Resolves when the server ended it well; rejects with what `fromStatus` makes of the rest. */
  readonly ended: Promise<void>;
}

export function openReportStream(address: string, channel: ControlChannel, onReply: (reply: ReportReply) => void): ReportStream {
  const client = new TelemetryClient(address, channel.credentials, channel.options);
  const call: ClientDuplexStream<ReportRequest, ReportReply> = client.report();
  const ended = streamEnd(client, call, onReply);
  return { send: (report) => void call.write(report), finish: () => call.end(), destroy: () => call.cancel(), ended };
}
