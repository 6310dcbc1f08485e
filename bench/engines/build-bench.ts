import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** From build/bench/engines: the crates are not copied there. */
const root = fileURLToPath(new URL('../../../', import.meta.url));
const binaries = { load: 'load', http: 'http-prototype' } as const;
type Crate = keyof typeof binaries;
const built = new Map<Crate, Promise<string>>();

/** The path of what a crate of the bench makes; cargo builds it when it is not up to date. Rejects with what cargo said. */
export function buildBench(crate: Crate): Promise<string> {
  const building = built.get(crate) ?? build(crate);
  built.set(crate, building);
  return building;
}

async function build(crate: Crate): Promise<string> {
  const target = `${root}build/cargo`;
  const manifest = `${root}bench/engines/${crate}/Cargo.toml`;
  const args = ['build', '--release', '--locked', '--quiet', '--manifest-path', manifest, '--target-dir', target];
  try {
    await promisify(execFile)('cargo', args);
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new Error(`bench/engines/${crate} is not to be had: it is built by cargo (Rust 1.88 or newer). ${stderr}`, { cause: error });
  }
  return `${target}/release/${binaries[crate]}`;
}
