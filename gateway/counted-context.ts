import type { DataPlaneContext } from './context.ts';
import type { FlowSink } from './telemetry/flows/index.ts';

/** With counting for the control plane. */
export interface CountedContext extends DataPlaneContext {
  /** Absent: nobody asks. */
  readonly flows?: FlowSink;
}
