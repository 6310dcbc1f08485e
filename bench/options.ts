import { parseArgs } from 'node:util';
import { accept, type Checked, reject, type Violation } from '../core/validate.ts';

export interface BenchOptions {
  readonly help: boolean;
  readonly quick: boolean;
  /** Where the JSON goes; absent: nowhere. */
  readonly json?: string;
  /** Where an SVG of the cases that have panels goes; absent: nowhere. */
  readonly plot?: string;
  /** Names of cases, or what they begin with; empty: all. */
  readonly only: readonly string[];
}

/** `xds` stands for `xds-change`, `xds-load` and so on. */
export function isChosen(name: string, wanted: string): boolean {
  return name === wanted || name.startsWith(`${wanted}-`);
}

/** Everything that is wrong with the arguments at once. */
export function parseBenchOptions(args: readonly string[], names: readonly string[]): Checked<BenchOptions> {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h' },
        quick: { type: 'boolean' },
        json: { type: 'string' },
        plot: { type: 'string' },
        only: { type: 'string', multiple: true },
      },
    });
    const { help = false, quick = false, json, plot, only = [] } = values;
    const unknown = only.filter((wanted) => !names.some((name) => isChosen(name, wanted)));
    if (unknown.length > 0) return reject(unknown.map((name) => violation('--only', `no case ${name}: one of ${names.join(', ')}`)));
    return accept({ help, quick, only, ...(json === undefined ? {} : { json }), ...(plot === undefined ? {} : { plot }) });
  } catch (error) {
    return reject([violation('arguments', error instanceof Error ? error.message : String(error))]);
  }
}

function violation(path: string, message: string): Violation {
  return { path, message };
}
