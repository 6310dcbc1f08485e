import type { status as grpcStatus, ServerDuplexStream } from '@grpc/grpc-js';
import type { Node } from '../gen/envoy/config/core/v3/base.ts';
import type { ResourceView } from '../resource-source.ts';

/** What is known of a stream before its first request. */
export type StreamPeer = Pick<ServerDuplexStream<never, never>, 'getAuthContext' | 'getPeer' | 'metadata'>;

export interface Refusal {
  readonly code: grpcStatus;
  /** For the operator who reads it in the client's log. */
  readonly details: string;
}

/** A stream whose caller may open one. */
export interface Opening<Client> {
  /** Streams are counted, and limited, by this. */
  readonly countedAs: string;
  /** With the node of the first request: whom the stream is for and what it is served, or why not. Must not throw. */
  identify(node: Node | undefined): Admitted<Client> | Refusal;
}

export interface Admitted<Client> {
  readonly client: Client;
  /** For logs and status. */
  readonly id: string;
  readonly view: ResourceView;
  /**
   * The id is of one process that holds one stream: the newest wins, since an older one is what a cut network left behind. Not so
   * of Envoy, whose hot restart runs two processes of one id at once, and which opens a stream for each type if told to.
   */
  readonly single: boolean;
}

/** Who may open a stream. Must not throw. */
export type Admission<Client> = (call: StreamPeer) => Opening<Client> | Refusal;
