import { readFileSync } from 'node:fs';

/** Of this package, `MAJOR.MINOR.PATCH`; what control planes, gateways and agents tell each other. */
export const version: string = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;
