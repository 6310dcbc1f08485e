/** What a service takes at its plain listeners (Istio's PeerAuthentication): mTLS alone, both, or plaintext alone. */
export type MtlsMode = 'strict' | 'permissive' | 'disable';

/** Of one service port, or with port 0 of all that are not named. */
export interface PortMtls {
  readonly port: number;
  readonly mode: MtlsMode;
}

/** Where nothing is said, nobody is taken in the clear. */
export function mtlsModeOf(ports: readonly PortMtls[] | undefined, port: number): MtlsMode {
  if (ports === undefined) return 'strict';
  return (ports.find((each) => each.port === port) ?? ports.find((each) => each.port === 0))?.mode ?? 'strict';
}
