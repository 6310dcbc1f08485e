// Run after every change of a dependency: `npm install && node scripts/complete-lockfile.mjs`.
// A registry mirror that lacks a package's builds for other platforms makes npm leave them out of the lockfile, and `npm ci` then
// refuses it everywhere. This names each missing optional build with the version, system and processor that its name says.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const systems = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = [
  [/arm64|aarch64/, 'arm64'],
  [/armv7|-arm(-|$)/, 'arm'],
  [/ia32/, 'ia32'],
  [/loong64/, 'loong64'],
  [/ppc64/, 'ppc64'],
  [/riscv64/, 'riscv64'],
  [/s390x/, 's390x'],
  [/wasm32/, 'wasm32'],
  [/x64/, 'x64'],
];

let added = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] !== undefined || lock.packages[`${path}/node_modules/${name}`] !== undefined) continue;
    const cpu = processors.find(([form]) => form.test(name))?.[1];
    const os = systems.find((system) => name.includes(system));
    const libc = os !== 'linux' ? undefined : name.includes('musl') ? 'musl' : 'glibc';
    lock.packages[`node_modules/${name}`] = {
      version: range.replace(/^[\^~]/, ''),
      ...(cpu === undefined ? {} : { cpu: [cpu] }),
      ...(entry.dev === true ? { dev: true } : {}),
      ...(libc === undefined ? {} : { libc: [libc] }),
      license: entry.license,
      optional: true,
      ...(os === undefined ? {} : { os: [os] }),
    };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added} builds for other platforms named\n`);
