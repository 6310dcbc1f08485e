// `npm run package`: packages that bring their own Node, as .tar.gz and .deb, for machines that have nothing but Linux with glibc.
// Usage: npm run package -- [--arch x64|arm64] [--out dist] [--fast]     (--fast: hardly compressed, the .deb not at all, for tests)
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** One version for both processors; npm checks the archives against the registry's digests. */
const nodeVersion = '24.20.0';
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: process.arch },
    out: { type: 'string', default: 'dist' },
    fast: { type: 'boolean', default: false },
  },
});
const { arch, fast } = values;
const debianArch = { x64: 'amd64', arm64: 'arm64' }[arch];
if (debianArch === undefined) fail(`--arch ${arch}: x64 or arm64`);
if (!existsSync(join(root, 'build/cli/main.js'))) fail('nothing is built: run npm run package, which builds first');

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const out = resolve(values.out);
const work = mkdtempSync(join(tmpdir(), 'isthmus-package-'));
try {
  const name = `isthmus-${version}-linux-${arch}`;
  const tree = join(work, name);
  stage(tree);
  mkdirSync(out, { recursive: true });
  const archive = join(out, `${name}.tar.gz`);
  say(`writing ${archive}`);
  run('tar', [...reproducible(), `--use-compress-program=gzip -n${fast ? ' -1' : ' -9'}`, '-cf', archive, '-C', work, name]);
  const deb = join(out, `isthmus_${version}_${debianArch}.deb`);
  say(`writing ${deb}`);
  debian(tree, deb);
  for (const file of [archive, deb]) process.stdout.write(`${file} ${(statSync(file).size / 1e6).toFixed(1)} MB\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** What both packages hold: bin, build, node_modules, deploy, docs. */
function stage(tree) {
  mkdirSync(join(tree, 'bin'), { recursive: true });
  say(`fetching Node ${nodeVersion} for ${arch}`);
  const packed = run('npm', ['pack', '--silent', '--pack-destination', work, `node-linux-${arch}@${nodeVersion}`])
    .trim()
    .split('\n')
    .at(-1);
  run('tar', ['-xzf', join(work, packed), '-C', work, 'package/bin/node', 'package/LICENSE']);
  cpSync(join(work, 'package/bin/node'), join(tree, 'bin/node'));
  cpSync(join(work, 'package/LICENSE'), join(tree, 'LICENSE.node'));
  chmodSync(join(tree, 'bin/node'), 0o755);
  cpSync(join(root, 'deploy/package/isthmus'), join(tree, 'bin/isthmus'));

  for (const folder of ['core', 'registries', 'control', 'gateway', 'sidecar-vm', 'cli']) {
    cpSync(join(root, 'build', folder), join(tree, 'build', folder), {
      recursive: true,
      filter: (path) => !/\.(map|d\.ts|tsbuildinfo)$/.test(path),
    });
  }
  addEngine(tree);
  for (const each of ['package.json', 'package-lock.json', '.npmrc', 'README.md']) cpSync(join(root, each), join(tree, each));
  for (const each of ['deploy/systemd', 'deploy/package', 'docs']) cpSync(join(root, each), join(tree, each), { recursive: true });
  say('installing what it depends on');
  // Nothing is compiled: the packages bring binaries for every platform, and npm takes those of the one that is named.
  run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--os=linux', `--cpu=${arch}`, '--libc=glibc', '--no-fund', '--no-audit'], tree);
  leaveOutForeign(join(tree, 'node_modules'));
  rmSync(join(tree, '.npmrc'));
  run(process.execPath, [join(root, 'scripts/bundle-agent.mjs'), '--out', join(tree, 'build/cli')]);
}

/** The native engine, where `npm run build:native` has made it for that processor. Without it the product runs the engine in TypeScript, and says so. */
function addEngine(tree) {
  const file = `isthmus-engine.linux-${arch}.node`;
  const built = join(root, 'build/native', file);
  if (!existsSync(built)) return say(`without the native engine: none is built for ${arch} (npm run build:native on such a machine)`);
  mkdirSync(join(tree, 'build/native'));
  const target = join(tree, 'build/native', file);
  // Lines for debuggers are two thirds of it.
  if (spawnSync('strip', ['--strip-debug', '-o', target, built]).status !== 0) cpSync(built, target);
  chmodSync(target, 0o644);
}

/** Some packages bring their native code for all platforms at once; Node loads what fits, and the rest is weight. */
function leaveOutForeign(modules) {
  for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true })) {
    const foreign =
      (basename(entry.parentPath) === 'prebuilds' && entry.name !== `linux-${arch}`) ||
      entry.name === `musl_${arch}` ||
      entry.name.endsWith('.musl.node');
    if (foreign) rmSync(join(entry.parentPath, entry.name), { recursive: true, force: true });
  }
}

/** Takes `tree` away: a copy of it would cost as much as packing it. */
function debian(tree, deb) {
  const at = join(work, 'deb');
  mkdirSync(join(at, 'DEBIAN'), { recursive: true });
  mkdirSync(join(at, 'opt'));
  renameSync(tree, join(at, 'opt/isthmus'));
  mkdirSync(join(at, 'usr/bin'), { recursive: true });
  symlinkSync('../../opt/isthmus/bin/isthmus', join(at, 'usr/bin/isthmus'));
  mkdirSync(join(at, 'lib/systemd/system'), { recursive: true });
  for (const unit of readdirSync(join(root, 'deploy/systemd')).filter((each) => each.endsWith('.service'))) {
    cpSync(join(root, 'deploy/systemd', unit), join(at, 'lib/systemd/system', unit));
  }
  mkdirSync(join(at, 'usr/lib/sysusers.d'), { recursive: true });
  cpSync(join(root, 'deploy/systemd/isthmus.sysusers'), join(at, 'usr/lib/sysusers.d/isthmus.conf'));
  mkdirSync(join(at, 'etc/isthmus'), { recursive: true });
  cpSync(join(root, 'deploy/systemd/gateway.env'), join(at, 'etc/isthmus/gateway.env'));
  const kilobytes = run('du', ['-sk', at]).split('\t')[0];
  writeFileSync(
    join(at, 'DEBIAN/control'),
    `Package: isthmus
Version: ${version}
Architecture: ${debianArch}
Maintainer: The Isthmus authors <isthmus@example.invalid>
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.28), libstdc++6, libgcc-s1, systemd
Section: net
Priority: optional
Description: joins Kubernetes, Consul, Nomad and bare VMs into one mesh
 One program in three roles: control plane, gateway, agent of a VM. It brings
 its own Node, in /opt/isthmus.
`,
  );
  writeFileSync(join(at, 'DEBIAN/conffiles'), '/etc/isthmus/gateway.env\n');
  for (const script of ['postinst', 'prerm', 'postrm']) cpSync(join(root, 'deploy/package', script), join(at, 'DEBIAN', script));
  run('chmod', ['-R', 'go-w', at]);
  run('dpkg-deb', ['--root-owner-group', ...(fast ? ['-Znone'] : ['-Zxz', '-z6']), '--build', at, deb]);
}

/** The same input makes the same archive. */
function reproducible() {
  const epoch = process.env.SOURCE_DATE_EPOCH ?? '0';
  return ['--sort=name', `--mtime=@${epoch}`, '--owner=0', '--group=0', '--numeric-owner'];
}

function run(file, args, cwd = root) {
  try {
    return execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 });
  } catch (error) {
    fail(
      error.code === 'ENOENT'
        ? `${file} is not on PATH`
        : `${file} ${args[0]}: ${String(error.stderr).trim().split('\n').slice(-10).join('\n')}`,
    );
  }
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  process.stderr.write(`package: ${text}\n`);
  process.exit(1);
}
