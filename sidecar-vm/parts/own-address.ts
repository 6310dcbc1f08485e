import type { ObtainedIdentity } from '../../core/identity/index.ts';
import type { StateFeed } from '../../gateway/index.ts';
import type { AgentDeps } from '../contract.ts';
import type { MachineRegistration } from '../identities/index.ts';
import type { AgentOptions } from '../options.ts';
import { OwnAddress } from '../own-address/index.ts';

export type { OwnAddress } from '../own-address/index.ts';

/** Towards the control plane: whoever it takes for a member is reached where its own connections come from, unless somebody said otherwise. */
export function openOwnAddress(
  { address }: AgentOptions,
  identity: ObtainedIdentity,
  { addressTowards, clock, log }: Required<AgentDeps>,
): Promise<OwnAddress> {
  const find = () => addressTowards(identity.token.addresses);
  return OwnAddress.open({ configured: address, find, clock, log });
}

/** What was connected from the old address leads nowhere: both streams to the control plane begin anew. */
export function followAddress(own: OwnAddress, registration: MachineRegistration, feed: StateFeed, signal: AbortSignal): Promise<void> {
  const onChange = (address: string) => {
    registration.moveTo(address);
    feed.reconnect('this machine has another address');
  };
  return own.run(onChange, signal);
}
