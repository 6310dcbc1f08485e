export type { RevocationTarget } from './revoke.ts';
export { grantsMeant, revoke } from './revoke.ts';
