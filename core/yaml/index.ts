export type { ConfigDocument, ParsedDocuments } from './config-document.ts';
export { didYouMean } from './did-you-mean.ts';
export { documentFolder, tellNew } from './document-folder.ts';
export { parseDocuments } from './documents.ts';
export { fields, oneOf } from './fields.ts';
export { toViolations, violation } from './issues.ts';
