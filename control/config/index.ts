export { foreignPrincipals } from './cross-check.ts';
export { objectKinds } from './kinds/index.ts';
export type { LiveConfig, LiveConfigOptions } from './live-config.ts';
export { openLiveConfig } from './live-config.ts';
export type { ConfigText, LoadedConfig } from './load.ts';
export { loadConfig, parseConfig } from './load.ts';
export { parseObject } from './parse-object.ts';
export type { HostPort } from './schema/fields.ts';
export { parseHostPort } from './schema/fields.ts';
