export type { ParseDocument } from './candidates.ts';
export { namespacesOf } from './candidates.ts';
export type { AppliableObject, ObjectOwner, ObjectSource, ObjectView, OwnedObject } from './contract.ts';
export type { FileObject } from './file-source.ts';
export type { Reported } from './list-objects.ts';
export { listObjects } from './list-objects.ts';
export { Objects } from './objects.ts';
export { revisionDetail, revisionSummary } from './summaries.ts';
