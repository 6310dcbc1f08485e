/** What one machine's programs may ask for; beyond it they are told RESOURCE_EXHAUSTED, or their connection is closed. */
export interface WorkloadApiLimits {
  readonly connections: number;
  /** Of one user: nobody can take them all from the others. */
  readonly connectionsPerUid: number;
  /** Open at once, of one user. */
  readonly streamsPerUid: number;
  readonly messageBytes: number;
  /** From accept to the first byte. */
  readonly silenceMs: number;
  /** Without a call. */
  readonly idleMs: number;
}

export const defaultWorkloadApiLimits: WorkloadApiLimits = {
  connections: 512,
  connectionsPerUid: 64,
  streamsPerUid: 256,
  messageBytes: 64 * 1024,
  silenceMs: 10_000,
  idleMs: 300_000,
};
