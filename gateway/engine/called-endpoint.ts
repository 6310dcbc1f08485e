import type { ProxiedConnection } from '../../core/proxy-protocol.ts';
import type { EndpointState } from '../state/types.ts';

/** An endpoint as one caller's connections go there: where it is told who called, no connection serves two. */
export interface CalledEndpoint extends EndpointState {
  readonly caller?: ProxiedConnection & { readonly id: string };
}
