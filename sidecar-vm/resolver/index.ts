export type { ResolverMode } from './install.ts';
export { installResolver, planResolver, removeResolver, showResolver } from './install.ts';
