export type { PortRecord, PublisherPlace, PublishingPlan, SwitchedPlace } from './plan-publishing.ts';
export { planPublishing, switchedKey } from './plan-publishing.ts';
export type { StoredPorts } from './port-store.ts';
export { loadPorts, savePorts } from './port-store.ts';
export { RegistryWriter } from './registry-writer.ts';
