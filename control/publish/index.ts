export type { PortRecord, PublisherPlace, PublishingPlan } from './plan-publishing.ts';
export { planPublishing } from './plan-publishing.ts';
export type { StoredPorts } from './port-store.ts';
export { loadPorts, savePorts } from './port-store.ts';
export { RegistryWriter } from './registry-writer.ts';
