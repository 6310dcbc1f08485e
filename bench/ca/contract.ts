/** What a control plane under test is told when it starts; it travels over the pipe between the two processes only. */
export interface CaControlBrief {
  readonly dir: string;
  /** Of agents to come: identities for all of them are made at the first start, and kept. */
  readonly agents: number;
  /** 0: any. */
  readonly port: number;
}

export interface CaControlReady {
  readonly port: number;
  /** One token for all of them. */
  readonly token: string;
}

/** `usage`: what the process has used, after a collection of its garbage. */
export type CaControlOrder = 'usage';

export interface CaControlUsage {
  /** µs of CPU since it began, all threads. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  /** Registrations that are not expired. */
  readonly registered: number;
  /** SVIDs issued since it began. */
  readonly issued: number;
}
