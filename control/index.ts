export { caInit, loadRoot, signIntermediate } from './ca/index.ts';
export { parseHostPort } from './config/index.ts';
export type { InitOptions, InitResult } from './init.ts';
export { initControl } from './init.ts';
