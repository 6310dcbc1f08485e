export type { JsonAnswer, JsonCall, JsonHttpOptions, Query } from './json-http.ts';
export { JsonHttp } from './json-http.ts';
