import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { originalDestination, socketFd } from '../../core/os/index.ts';
import type { Outbound } from '../../gateway/index.ts';
import { SignOfLife } from '../capture/index.ts';
import type { AgentStatus } from '../contract.ts';
import type { AgentOptions } from '../options.ts';

/** Nobody but the mesh gives these addresses a meaning. */
const meshAddresses = ['127.64.0.0/10'];

/** What the packet filter leads to this agent. Without its rules the agent binds a port for each service, as if there were none. */
export interface Capture {
  /** Whether the rules lead connections here; until that is known they do not. */
  readonly inPlace: boolean;
  /** Called when that changes; returns what ends it. */
  subscribe(listener: () => void): () => void;
  status(): NonNullable<AgentStatus['capture']>;
  /** Until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Opens the port, then says that the agent lives. Undefined where nothing is to be captured. MeshError PORT_TAKEN. */
export async function openCapture(
  { capture }: Pick<AgentOptions, 'capture'>,
  outbound: Outbound,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<Capture | undefined> {
  if (capture === undefined) return undefined;
  await outbound.capture({ address: '127.0.0.1', port: capture.port, closed: meshAddresses });
  const sign = new SignOfLife({ port: capture.port, clock });
  await sign.beat();
  const tell = () => {
    if (sign.inPlace === true) log.info({ port: capture.port }, 'packets for the mesh are led here: no port is bound for a service');
    else log.warn({ port: capture.port }, 'no packets are led here: a port is bound for each service; see isthmus vm capture install');
  };
  tell();
  sign.subscribe(tell);
  return {
    get inPlace() {
      return sign.inPlace === true;
    },
    subscribe: (listener) => sign.subscribe(listener),
    status: () => ({
      port: capture.port,
      rules: sign.inPlace === true ? 'in-place' : 'missing',
      reason:
        sign.inPlace === true
          ? `127.64.0.0/10 is led to 127.0.0.1:${capture.port}`
          : 'a port is bound for each service: sudo isthmus vm capture install leads 127.64.0.0/10 here',
    }),
    run: (signal) => sign.run(signal),
  };
}

/** For CountedContext: where an accepted connection was to go. */
export function redirectedFrom(socket: Socket): { readonly address: string; readonly port: number } | undefined {
  const fd = socketFd(socket);
  return fd === undefined ? undefined : originalDestination(fd);
}
