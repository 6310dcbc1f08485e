/**
 * What came of connecting back to a registered address. `proven`: the identity that registered answers there. `refused`: nobody does, or
 * nobody finished a handshake. `other`: somebody else does. `unknown`: this control plane cannot tell.
 */
export type ReachState = 'proven' | 'refused' | 'other' | 'unknown';

export interface Reach {
  readonly state: ReachState;
  /** For people. */
  readonly reason: string;
  /** Unix ms; since when it is so. */
  readonly at: number;
  /** `IP:PORT` that was looked at: of another place it says nothing. */
  readonly place: string;
  /** Whether an address that its agent is not seen from may have traffic. */
  readonly trusted: boolean;
  /** Looks in a row that said otherwise. */
  readonly strikes: number;
}
