export type { AdapterDeps, OwningPublisher } from './adapter.ts';
export type { Named, NativeName, Unnamed } from './apply-rules.ts';
export { claims, isExcluded, nameService } from './apply-rules.ts';
export type { BlockingQuery } from './blocking-query.ts';
export { blockingQuery } from './blocking-query.ts';
export type { BuiltServices, NativeInstance } from './build-services.ts';
export { buildServices } from './build-services.ts';
export type {
  NativeNameResult,
  NativeNames,
  PublishedService,
  PublishResult,
  RegistryEvent,
  RegistryPublisher,
  RegistrySource,
  SwitchedService,
} from './contract.ts';
export { deepEqual, diffServices, sameService } from './diff-services.ts';
export { forEachBounded } from './for-each-bounded.ts';
export { matchesGlob } from './glob.ts';
export { isServiceAccount } from './hints.ts';
export type { NativeObject, ObjectSink, ObjectWatch, WatchedKind } from './object-watch.ts';
export { isMeshOwned, ownerKey, ownerMetaKey, ownerOf, publishedName, publishedNodeName } from './ownership.ts';
export { reportOnChange } from './report.ts';
export type { RegistryRules } from './rules.ts';
export type { Emit, SourceLoopOptions, SourceSession } from './run-source.ts';
export { runSource } from './run-source.ts';
export type { ServicePart } from './service-index.ts';
export { ServiceIndex } from './service-index.ts';
