// What packages start for `isthmus agent`: the agent as one script, with the bytecode that V8 made of it when it was installed. Module by
// module it takes half a second of CPU, and 25 MB that are never given back. `--write-code-cache COMMAND` runs a command, and keeps the
// bytecode of all that it needed.
const { createHash } = require('node:crypto');
const { readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { Script } = require('node:vm');

const file = join(__dirname, 'agent-bundle.cjs');
const cacheFile = `${file}.cache`;
const source = readFileSync(file, 'latin1');
/** The digest that the bundle begins with. V8 itself compares its own version and flags, but of the source the length alone. */
const digest = Buffer.from(source.slice(3, 67), 'hex');

const writes = process.argv[2] === '--write-code-cache';
if (writes) process.argv.splice(2, 1);
const cachedData = writes ? undefined : readCache();
const script = new Script(source, { filename: file, ...(cachedData === undefined ? {} : { cachedData }) });
if (writes) process.once('exit', writeCache);
script.runInThisContext()(exports, createRequire(file), module, file, __dirname);

function readCache() {
  try {
    const cache = readFileSync(cacheFile);
    const data = cache.subarray(2 * digest.length);
    return cache.subarray(0, 2 * digest.length).equals(headOf(data)) ? data : undefined;
  } catch {
    // None there, or not for us to read: it is compiled, as it is without one.
    return undefined;
  }
}

/** V8 runs what it is given: it does not look whether bytes have changed on disk. */
function headOf(data) {
  return Buffer.concat([digest, createHash('sha256').update(data).digest()]);
}

function writeCache() {
  const unfinished = `${cacheFile}.${process.pid}`;
  try {
    const data = script.createCachedData();
    writeFileSync(unfinished, Buffer.concat([headOf(data), data]), { mode: 0o644 });
    renameSync(unfinished, cacheFile);
    process.exitCode = 0;
  } catch (error) {
    rmSync(unfinished, { force: true });
    process.stderr.write(`the agent will start more slowly: ${error.message}\n`);
    process.exitCode = 1;
  }
}
