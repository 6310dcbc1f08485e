import { exchange } from './http-request.ts';
import type { ReachAnswer, ReachCall } from './reach.ts';
import { dial, pickFreePort } from './tcp.ts';

// Runs inside a network namespace, as the child of a test process, and ends with it.
process.once('disconnect', () => process.exit(0));
process.on('message', (message) => {
  const { id, ...call } = message as { id: number } & ReachCall;
  perform(call as ReachCall).then(
    (value) => answer({ id, value }),
    (error: unknown) => answer({ id, error: error instanceof Error ? error.message : String(error) }),
  );
});

function perform(call: ReachCall): Promise<unknown> {
  switch (call.op) {
    case 'request':
      return exchange(call.request);
    case 'dial':
      return dial(call.host, call.port, call.timeoutMs);
    case 'freePort':
      return pickFreePort();
  }
}

function answer(message: ReachAnswer): void {
  if (process.connected) process.send?.(message);
}
