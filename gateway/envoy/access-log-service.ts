import { type ServerReadableStream, status } from '@grpc/grpc-js';
import type { SvidSource } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { type FlowEntry, readFlowEntries } from '../../core/xds/envoy/index.ts';
import type {
  AccessLogServiceServer,
  StreamAccessLogsMessage,
  StreamAccessLogsMessage_Identifier,
  StreamAccessLogsResponse,
} from '../../core/xds/gen/envoy/service/accesslog/v3/als.ts';

/** Counts single requests and byte streams of Envoy; must not throw. */
export interface CountsEntries {
  /** `inbound`: Envoy was the end of mTLS. */
  entry(entry: FlowEntry, inbound: boolean): void;
}

export interface AccessLogServiceOptions {
  /** Whose Envoys these are: the stream of any other is refused. */
  readonly identity: Pick<SvidSource, 'current'>;
  readonly flows: CountsEntries;
  readonly log: Log;
}

/** One for each thread of each Envoy, kind of entry and side; a node has a handful of Envoys. */
const mostStreams = 1_024;

/**
 * envoy.service.accesslog.v3.AccessLogService for the Envoys of one node: PERMISSION_DENIED for one of another identity, INVALID_ARGUMENT
 * for a stream that does not begin with who it is, RESOURCE_EXHAUSTED beyond 1,024 of them. Envoy is answered nothing; it drops what
 * it cannot send.
 */
export function accessLogServer({ identity, flows, log }: AccessLogServiceOptions): AccessLogServiceServer {
  let open = 0;
  return {
    streamAccessLogs(call: ServerReadableStream<StreamAccessLogsMessage, StreamAccessLogsResponse>, callback) {
      let who: StreamAccessLogsMessage_Identifier | undefined;
      let over = false;
      const end = (code: status, details: string) => {
        if (over) return;
        over = true;
        open -= 1;
        if (code === status.OK) callback(null, {});
        else callback({ code, details });
      };
      open += 1;
      if (open > mostStreams) return end(status.RESOURCE_EXHAUSTED, `${mostStreams} streams are open`);
      call.on('data', (message: StreamAccessLogsMessage) => {
        if (over) return;
        if (who === undefined) {
          who = message.identifier;
          if (who === undefined) return end(status.INVALID_ARGUMENT, 'the first message has no identifier');
          const own = formatSpiffeId(identity.current().spiffeId);
          const id = who.node?.id ?? '';
          if (!id.startsWith(`${own}#`)) {
            log.warn({ node: id.slice(0, 256), own }, 'an Envoy of another identity tells of its requests here: it is refused');
            return end(status.PERMISSION_DENIED, `this is the node of ${own}`);
          }
        }
        for (const entry of readFlowEntries(message)) flows.entry(entry, who.logName === 'mtls-end');
      });
      call.on('end', () => end(status.OK, ''));
      for (const event of ['error', 'close', 'cancelled']) call.on(event, () => end(status.CANCELLED, ''));
    },
  };
}
