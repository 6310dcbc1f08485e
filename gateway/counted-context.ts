import type { DataPlaneContext } from './context.ts';
import type { FlowSink } from './telemetry/flows/index.ts';
import type { TunnelHub } from './tunnel/hub.ts';

/** What data planes tell of what they carry. */
export type CountsTraffic = Pick<FlowSink, 'request' | 'opened' | 'connection' | 'copy'>;

/** With counting for the control plane. */
export interface CountedContext extends DataPlaneContext {
  /** Absent: nobody asks. */
  readonly flows?: CountsTraffic;
  /** Of a gateway: the tunnels that it holds. */
  readonly tunnels?: TunnelHub;
}
