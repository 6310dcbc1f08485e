import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import type { AccessPolicyObject } from '../../core/config/index.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../core/store.ts';
import type { ControlMetrics } from '../telemetry/index.ts';
import type { AuditLog } from './audit.ts';
import type { SvidCaller } from './authenticate.ts';
import type { ControlApi } from './control-api.ts';

/** The server's certificate and the roots that client certificates must chain to. */
export interface AdminTls {
  current(): SecureContextOptions;
  /** Called after each change; returns its undoing. */
  subscribe(listener: () => void): () => void;
}

export interface AdminServerOptions {
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: AdminTls;
  readonly api: ControlApi;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ControlMetrics;
  /** Those in force now; asked at every call. */
  readonly policies: () => readonly AccessPolicyObject[];
  /** Who is at the other end; undefined: no client certificate was given. */
  readonly callerOfSocket: (socket: TLSSocket) => SvidCaller | undefined;
}
