export { loadAddresses, saveAddresses } from './address-file.ts';
export type { AddressTable } from './allocate-addresses.ts';
export { allocateAddresses, emptyAddressTable } from './allocate-addresses.ts';
export type { OpenListener, OpenOutbound } from './listener-set.ts';
export { ListenerSet } from './listener-set.ts';
export type { ListenerPolicy, OutboundService, PlannedListener, PortTaken } from './plan-listeners.ts';
export { exposedTakenAdvice, noRightAdvice, planListeners, portTakenAdvice } from './plan-listeners.ts';
