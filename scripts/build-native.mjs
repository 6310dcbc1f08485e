// Builds the native engine for this machine and puts it where the built JavaScript looks for it. Needs cargo and a C compiler.
// --fips: its TLS on the FIPS module of aws-lc, which needs Go and CMake as well.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const crate = fileURLToPath(new URL('../gateway/engine/native/', import.meta.url));
const build = fileURLToPath(new URL('../build/', import.meta.url));

if (process.platform !== 'linux') {
  process.stderr.write(`The native engine needs Linux, and this is ${process.platform}: gateways run the engine in TypeScript.\n`);
  process.exit(1);
}
const given = process.argv.slice(2);
if (given.some((each) => each !== '--fips')) {
  process.stderr.write(`unknown: ${given.join(' ')}. npm run build:native [-- --fips]\n`);
  process.exit(2);
}
const features = given.length > 0 ? 'node,fips' : 'node';
const cargo = spawnSync('cargo', ['build', '--release', '--locked', '--features', features], { cwd: crate, stdio: 'inherit' });
if (cargo.error !== undefined) {
  process.stderr.write(
    `cargo could not be started (${cargo.error.message}): install Rust 1.88 or newer. Without it gateways run the engine in TypeScript.\n`,
  );
  process.exit(1);
}
if (cargo.status !== 0) process.exit(cargo.status ?? 1);
mkdirSync(`${build}native`, { recursive: true });
const target = `${build}native/isthmus-engine.linux-${process.arch}.node`;
// Renamed into place: a process that has the old one loaded goes on with it.
copyFileSync(`${build}cargo/release/libisthmus_engine.so`, `${target}.new`);
renameSync(`${target}.new`, target);
process.stderr.write(`built ${target}\n`);
