/** One connected client, for `isthmus status`. */
export interface XdsClientStatus {
  /** SPIFFE-ID#INSTANCE */
  readonly id: string;
  readonly kind: 'agent' | 'gateway';
  readonly identity: string;
  readonly instance: string;
  readonly network: string;
  readonly version: string;
  /** Unix ms. */
  readonly connectedAt: number;
  /** Unix ms of its last ACK or NACK; heartbeats are acknowledged too, so an old time means a client that hangs. */
  readonly lastAnswerAt?: number;
  readonly lastNack?: { readonly typeUrl: string; readonly message: string; readonly at: number };
  /** Everything it subscribed to was sent and answered. */
  readonly current: boolean;
  readonly types: readonly XdsTypeStatus[];
}

export interface XdsTypeStatus {
  readonly typeUrl: string;
  readonly subscribed: number | '*';
  readonly acked: number;
  /** A response waits for its answer. */
  readonly waiting: boolean;
  /** What the client refused, in its own words; not sent again until there is another version. */
  readonly refused: readonly { readonly name: string; readonly version: string; readonly reason: string }[];
}
