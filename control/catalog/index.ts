export type { Catalog, CatalogOptions, SourceOptions, SourceReport } from './contract.ts';
export type { ServiceExport } from './exports.ts';
export type {
  CatalogChange,
  CatalogEndpoint,
  CatalogView,
  Contribution,
  GatewayRecord,
  MergedService,
  Provenance,
  ServiceCondition,
  ShardState,
  SourceStatus,
  Withheld,
} from './view.ts';
