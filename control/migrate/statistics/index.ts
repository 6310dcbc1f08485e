export { differenceInterval } from './difference.ts';
export { deviationsFor } from './normal.ts';
export { percentileInterval } from './percentile.ts';
export { percentileRatio } from './ratio.ts';
export { samplesToProve } from './samples.ts';
export type { Share } from './share.ts';
export { exactInterval, wilsonInterval } from './share.ts';
