import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** From build/bench/engines: the crate is not copied there. */
const root = fileURLToPath(new URL('../../../', import.meta.url));
let built: Promise<string> | undefined;

/** The load generator's path; cargo builds it when it is not up to date. Rejects with what cargo said. */
export function buildLoad(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const target = `${root}build/cargo`;
  const args = [
    'build',
    '--release',
    '--locked',
    '--quiet',
    '--manifest-path',
    `${root}bench/engines/load/Cargo.toml`,
    '--target-dir',
    target,
  ];
  try {
    await promisify(execFile)('cargo', args);
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new Error(`The load generator is not to be had: it is built by cargo (Rust 1.88 or newer). ${stderr}`, { cause: error });
  }
  return `${target}/release/load`;
}
