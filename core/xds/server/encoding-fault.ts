import type { EncodedResource } from '../resource-source.ts';

/** What a client should have and cannot be sent; whoever reports it takes it away. */
export interface Unsendable {
  readonly name: string;
  readonly reason: string;
}

/** Resources are encoded when they are first read; one that cannot be must not take the others along. */
export function faultOf(resource: EncodedResource): string | undefined {
  try {
    void resource.value;
    return undefined;
  } catch (error) {
    return `cannot be encoded: ${error instanceof Error ? error.message : String(error)}`;
  }
}
