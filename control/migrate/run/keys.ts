/** All that replicas watch. Samples are larger, and read only when somebody asks. */
export const watchedPrefix = 'migrations/';
export const statePrefix = 'migrations/state/';
const livePrefix = 'migrations/live/';
const callersPrefix = 'migrations/callers/';
export const freezeKey = 'migrations/freeze';
const samplesPrefix = 'migration-samples/';

export const stateKey = (id: string): string => `${statePrefix}${id}`;
export const liveKey = (id: string): string => `${livePrefix}${id}`;
export const callersKey = (id: string): string => `${callersPrefix}${id}`;
export const samplesKey = (id: string): string => `${samplesPrefix}${id}`;
