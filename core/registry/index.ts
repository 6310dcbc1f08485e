export type { PublishedService, PublishResult, RegistryEvent, RegistryPublisher, RegistrySource } from './contract.ts';
export type { RegistryRules } from './rules.ts';
