export { describeStatus, describeTransport } from './describe-errors.ts';
export type { JsonAnswer, JsonCall, JsonHttpOptions, Query } from './json-http.ts';
export { JsonHttp } from './json-http.ts';
