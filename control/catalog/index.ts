export { createCatalog } from './catalog.ts';
export type { Catalog, CatalogOptions, SourceOptions, SourceReport } from './contract.ts';
export type { ServiceExport } from './exports.ts';
export { exportingPolicies, exportService, exportsFor } from './exports.ts';
export type { RecordStore } from './persist.ts';
export { PersistentMap } from './persistent-map.ts';
export { compareText } from './shard.ts';
export type {
  CatalogChange,
  CatalogEndpoint,
  CatalogView,
  Contribution,
  GatewayRecord,
  GatewayTunnel,
  MergedService,
  Provenance,
  ServiceCondition,
  ShardState,
  SourceStatus,
  Withheld,
} from './view.ts';
