export type { LeadershipOptions, Term } from './leadership.ts';
export { Leadership } from './leadership.ts';
