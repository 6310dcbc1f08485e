import type { RunningAgent } from '../contract.ts';
import { type Handle, KeptListeners } from './kept-listeners.ts';
import { supervisedVariable, type ToSupervisor, type ToWorker } from './protocol.ts';

/** A worker's end of the channel to its supervisor. */
export interface Supervised {
  readonly listeners: KeptListeners;
  /** Says that all it needs is loaded; resolves when the state directory is its own, with all listening sockets at hand. */
  begin(): Promise<void>;
  /** Says that the agent serves; it is handed over when the supervisor asks for it, and drained when nobody supervises any more. */
  serve(agent: RunningAgent): void;
  /** It cannot serve: the channel keeps this process alive no longer. */
  giveUp(): void;
}

/** Undefined for a process that nobody supervises. To be called once. */
export function supervised(): Supervised | undefined {
  if (process.env[supervisedVariable] !== '1' || process.send === undefined) return undefined;
  const say = (message: ToSupervisor, handle?: Handle, sent = () => {}) => {
    // A channel that breaks here is told of by `disconnect`.
    if (process.connected) process.send?.(message, handle, {}, sent);
    else sent();
  };
  const listeners = new KeptListeners(say);
  let begun = () => {};
  let onHandOver = () => {};
  const beginning = new Promise<void>((resolve) => {
    begun = resolve;
  });
  process.on('message', (message: ToWorker, handle: unknown) => {
    if (message.say === 'kept') listeners.give(message.key, handle as Handle);
    else if (message.say === 'begin') begun();
    else if (message.say === 'hand-over') onHandOver();
  });
  return {
    listeners,
    begin: () => {
      say({ say: 'loaded' });
      return beginning;
    },
    serve: (agent) => {
      onHandOver = () => {
        listeners.handOver();
        agent.handOver().then(
          () => say({ say: 'released' }),
          (error: Error) => {
            listeners.goOn();
            say({ say: 'cannot', reason: error.message });
          },
        );
      };
      process.once('disconnect', () => void agent.drain());
      listeners.dropUnclaimed();
      say({ say: 'ready' });
      // What keeps a worker alive is what it serves.
      void agent.ended.catch(() => undefined).then(disconnect);
    },
    giveUp: disconnect,
  };
}

function disconnect(): void {
  if (process.connected) process.disconnect?.();
}
