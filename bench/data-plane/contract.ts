/** What the process of the gateway under test is told by the one that measures it: everything that a control plane would give it. */
export interface GatewayBrief {
  readonly cluster: string;
  /** PKCS#8; it travels over the pipe between the two only. */
  readonly keyPem: string;
  /** DER in base64, leaf first. */
  readonly chain: readonly string[];
  readonly trustDomain: string;
  readonly roots: readonly string[];
  readonly intermediates: readonly { readonly cluster: string; readonly certificate: string }[];
  /** In the native dialect; values in base64. */
  readonly resources: readonly { readonly typeUrl: string; readonly name: string; readonly value: string }[];
}

/** A gateway that serves, in a process of its own. */
export interface GatewayUnderTest {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}
