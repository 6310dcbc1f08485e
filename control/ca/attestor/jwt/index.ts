export { fetchJson } from './fetch-json.ts';
export { KeySet } from './key-set.ts';
export { verifyJwt } from './verify-jwt.ts';
