import { holdRange } from '../../../cli/demo/site.ts';
import { reachFrom } from '../servers/reach.ts';
import { type Running, startServer } from '../servers/server-process.ts';
import { makeWorkFolder, removeWorkFolder } from '../servers/work-folder.ts';
import { cli } from './isthmus.ts';

/** This machine's loopback, as one run of a test uses it: what it gives out is ended and removed by the test's `ending`. */
export interface Place {
  /** Ends what was started, in reverse order. */
  readonly ending: (end: () => Promise<unknown>) => void;
  /** One that nobody listens on; no two are alike. */
  port(): Promise<number>;
  folder(name: string): Promise<string>;
  /** For the gateways of one site: nobody else's until the test's end. */
  portRange(): Promise<readonly [number, number]>;
  /** Every process started here, for their logs. */
  readonly processes: Running[];
}

export function loopback(ending: Place['ending']): Place {
  return {
    ending,
    port: () => reachFrom().freePort(),
    folder: async (name) => {
      const folder = await makeWorkFolder(name);
      ending(() => removeWorkFolder(folder));
      return folder;
    },
    portRange: async () => {
      const { ports, release } = await holdRange(100);
      ending(release);
      return ports;
    },
    processes: [],
  };
}

export interface IsthmusProcess {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly folder: string;
  /** URL that answers 200 once it serves. */
  readonly ready: string;
}

/** Starts `isthmus ARGS` and keeps it until the test's end. */
export async function keep(place: Place, { name, args, env, folder, ready }: IsthmusProcess): Promise<Running> {
  const running = await startServer({
    name,
    command: process.execPath,
    args: [cli, ...args],
    ...(env === undefined ? {} : { env }),
    folder,
    ready: async (reach) => (await reach.request({ url: ready })).status === 200,
  });
  place.processes.push(running);
  place.ending(() => running.terminate());
  return running;
}
