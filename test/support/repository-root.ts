import { fileURLToPath } from 'node:url';

const here = import.meta.url;

/** Whether the test runs from its source or from build/. */
export const repositoryRoot = fileURLToPath(new URL(here.includes('/build/test/') ? '../../../' : '../../', here));
