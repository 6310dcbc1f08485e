export { lookAt } from './look.ts';
export { ReachWatch } from './reach-watch.ts';
