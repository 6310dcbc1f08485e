export { BundleServer } from './bundle-server.ts';
export type { DomainStatus } from './federated-domain.ts';
export { FederatedDomains } from './federated-domains.ts';
export type { PublishedBundle } from './own-bundle.ts';
export { OwnBundle } from './own-bundle.ts';
