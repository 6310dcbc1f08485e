import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { fromStatus } from './unary.ts';

/** Resolves when the server ended the call well; rejects with what `fromStatus` makes of the rest. The client is closed by then. */
export function streamEnd<Request, Reply>(
  client: { close(): void },
  call: ClientDuplexStream<Request, Reply>,
  onReply: (reply: Reply) => void,
): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    call.on('data', onReply);
    call.once('error', (error: ServiceError) => reject(fromStatus(error)));
    // After 'error' this changes nothing.
    call.once('end', () => resolve());
  }).finally(() => client.close());
  // A caller that races it against a timer may look away.
  ended.catch(() => undefined);
  return ended;
}
