/** What becomes of connections that a packet filter led to a listener of kind `captured`, by where they were to go. */
export interface CaptureRule {
  /** `destinationKey` → the name of a rule in `plain`, by which it is then served. */
  readonly byDestination: ReadonlyMap<string, string>;
  /** CIDRs whose other destinations are refused, because nobody but the mesh gives these addresses a meaning. The rest goes on, byte for byte, to where it was to go. */
  readonly closed: readonly string[];
}

export function destinationKey({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address} ${port}`;
}
