import type { BenchSize } from '../bench-mesh.ts';

/** What a control plane under test is told when it starts; it travels over the pipe between the two processes only. */
export interface XdsControlBrief {
  readonly size: BenchSize;
  readonly keyPem: string;
  /** DER in base64, leaf first, as all that follows. */
  readonly chain: readonly string[];
  readonly roots: readonly string[];
  readonly intermediates: readonly { readonly cluster: string; readonly certificate: string }[];
}

/** `change`: one endpoint of the next service gets another weight. `usage`: what the process has used so far. */
export type XdsControlOrder = 'change' | 'usage';

/** Of the whole process, all threads and the garbage collector included. */
export interface XdsControlUsage {
  /** µs since it began. */
  readonly cpuUs: number;
  /** Streams that it serves now. */
  readonly clients: number;
}

/** A control plane that serves xDS, in a process of its own, so that its CPU is its own. */
export interface XdsControlUnderTest {
  readonly port: number;
  /** Resolves when the catalog has it; clients are told meanwhile. Gives the index of the service. */
  change(): Promise<number>;
  usage(): Promise<XdsControlUsage>;
  stop(): Promise<void>;
}
