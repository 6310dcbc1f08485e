import type { ClientDuplexStream } from '@grpc/grpc-js';
import { MeshError } from '../errors.ts';
import { type RegisterReply, type RegisterRequest, RegistrationClient } from '../xds/gen/isthmus/agent/v1/agent.ts';
import type { ControlChannel } from './control-channel.ts';
import { streamEnd } from './stream-end.ts';

/** One Registration.Register stream, as messages out and callbacks in. Ends exactly once. */
export interface RegisterStream {
  send(body: NonNullable<RegisterRequest['body']>): void;
  /** Half-closes; the server's end follows. */
  finish(): void;
  /** Ends it now. */
  destroy(): void;
  /** Resolves when the server ended it well; rejects with what `fromStatus` makes of the rest. */
  readonly ended: Promise<void>;
}

export function openRegisterStream(address: string, channel: ControlChannel, onReply: (reply: RegisterReply) => void): RegisterStream {
  const client = new RegistrationClient(address, channel.credentials, channel.options);
  const call: ClientDuplexStream<RegisterRequest, RegisterReply> = client.register();
  const ended = streamEnd(client, call, onReply);
  return {
    send: (body) => {
      if (!call.write({ body }) && call.writableLength > 64)
        call.destroy(new MeshError('PEER_UNREACHABLE', 'the control plane does not read'));
    },
    finish: () => call.end(),
    destroy: () => call.cancel(),
    ended,
  };
}
