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

/** `usage`: all of it, after a collection of its garbage. `cost`: what costs nothing to say. */
export type CaControlOrder = 'usage' | 'cost';

export interface CaControlCost {
  /** µs of CPU since it began, all threads. */
  readonly cpuUs: number;
  /** SVIDs issued since it began. */
  readonly issued: number;
}

export interface CaControlUsage extends CaControlCost {
  readonly rssBytes: number;
  /** What V8 holds that lives; the rest of what an agent costs is native, or room that V8 keeps. */
  readonly heapBytes: number;
  /** Registrations that are not expired. */
  readonly registered: number;
}
