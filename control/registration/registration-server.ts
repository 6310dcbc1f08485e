import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Log } from '../../core/log.ts';
import type { RegisterReply, RegisterRequest, RegistrationServer } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { sourceOf, toStatus } from '../grpc/index.ts';
import type { RegistrationServerOptions } from './options.ts';
import { RegisterSession } from './register-session.ts';

/** What a stream may have unanswered; one that says more is ended, not buffered. */
const maxBacklog = 64;

/** The Registration service: `front.addService(RegistrationService, registrationServer(...))`. */
export function registrationServer(options: RegistrationServerOptions): RegistrationServer {
  const sessions = new Map<string, RegisterSession>();
  const open = new Set<ServerDuplexStream<RegisterRequest, RegisterReply>>();
  options.signal?.addEventListener('abort', () => endAll(open), { once: true });
  return {
    register(call: ServerDuplexStream<RegisterRequest, RegisterReply>) {
      // grpc-js sends the status of an emitted error; a destroyed stream sends nothing.
      const fail = (error: unknown) => void call.emit('error', statusError(error, options.log));
      open.add(call);
      const session = new RegisterSession(options, options.callerOf(call), sourceOf(call), sessions, (error) => fail(error));
      let backlog = 0;
      let queue: Promise<void> = Promise.resolve();
      const enqueue = (work: () => Promise<void>) => {
        queue = queue.then(work).catch((error: unknown) => {
          session.close();
          fail(error);
        });
      };
      call.on('data', (request: RegisterRequest) => {
        backlog += 1;
        if (backlog > maxBacklog) call.pause();
        enqueue(async () => {
          if (session.closed) return;
          const reply = await session.take(request);
          backlog -= 1;
          if (backlog < maxBacklog / 2) call.resume();
          if (session.closed && reply === undefined) return;
          if (reply !== undefined) call.write(reply);
          if (session.left) call.end();
        });
      });
      call.on('end', () => enqueue(async () => void call.end()));
      call.on('error', () => session.close());
      for (const event of ['close', 'cancelled'])
        call.on(event, () => {
          open.delete(call);
          session.close();
        });
    },
  };
}

/** Nothing is lost: what was answered is durable, and the client says hello to whoever answers next. */
function endAll(open: ReadonlySet<ServerDuplexStream<RegisterRequest, RegisterReply>>): void {
  for (const call of [...open]) call.emit('error', { code: status.UNAVAILABLE, details: 'shutting down' });
}

function statusError(error: unknown, log: Log): Error {
  return Object.assign(new Error('registration ended'), toStatus(error, log));
}
