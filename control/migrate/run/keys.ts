/** All that replicas watch. Samples are larger, and read only when somebody asks. */
export const watchedPrefix = 'migrations/';
export const statePrefix = 'migrations/state/';
export const livePrefix = 'migrations/live/';
export const freezeKey = 'migrations/freeze';
const samplesPrefix = 'migration-samples/';

export const stateKey = (id: string): string => `${statePrefix}${id}`;
export const liveKey = (id: string): string => `${livePrefix}${id}`;
export const samplesKey = (id: string): string => `${samplesPrefix}${id}`;
