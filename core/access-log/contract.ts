/** What a proxy writes into its access log, by the side that it is on: as the caller's (`client`), or as the mTLS end (`server`). */
export interface AccessLogging {
  readonly client: SideLogging;
  readonly server: SideLogging;
}

export interface SideLogging {
  readonly enabled: boolean;
  /** Of a LogFilter: what alone is written. Absent: everything. */
  readonly filter?: string;
}

/** Where nobody says anything. */
export const logAll: AccessLogging = { client: { enabled: true }, server: { enabled: true } };
