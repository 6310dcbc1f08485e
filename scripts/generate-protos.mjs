// Generates core/xds/gen from our .proto files and from those that @grpc/grpc-js-xds ships, with buf and ts-proto.
// Skipped when nothing that goes in has changed, so that every npm script can call it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const ours = join(root, 'core/xds/proto');
const out = join(root, 'core/xds/gen');
// Resolved, not joined, because node_modules may be a link to another checkout's.
const deps = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
const plugin = join(dirname(require.resolve('ts-proto/package.json')), 'protoc-gen-ts_proto');
const buf = join(dirname(require.resolve('@bufbuild/buf/package.json')), 'bin/buf');

const options = [
  'outputServices=grpc-js',
  'esModuleInterop=true',
  'importSuffix=.ts',
  'env=node',
  'forceLong=number',
  'enumsAsLiterals=true',
  'oneof=unions-value',
  'useExactTypes=false',
  'snakeToCamel=true',
  'outputJsonMethods=false',
  'outputPartialMethods=true',
  'removeEnumPrefix=true',
  'useOptionals=none',
  'useNullAsOptional=false',
];

function protoFiles(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) =>
    e.isDirectory() ? protoFiles(join(dir, e.name)) : e.name.endsWith('.proto') ? [join(dir, e.name)] : [],
  );
}

const inputs = protoFiles(ours).sort();
const hash = createHash('sha256')
  .update(options.join())
  .update(readFileSync(fileURLToPath(import.meta.url)));
for (const file of inputs) hash.update(readFileSync(file));
for (const pkg of ['ts-proto', '@grpc/grpc-js-xds', '@bufbuild/buf']) hash.update(require(`${pkg}/package.json`).version);
const digest = hash.digest('hex');
const stamp = join(out, '.digest');
if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) process.exit(0);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const module = (path) => ({ path: relative(root, path) || '.' });
const config = {
  version: 'v2',
  modules: [ours, 'envoy-api', 'googleapis', 'protoc-gen-validate', 'xds'].map((d) => module(d === ours ? ours : join(deps, d))),
};
const template = { version: 'v2', plugins: [{ local: plugin, out: relative(root, out), opt: options, include_imports: true }] };
writeFileSync(join(out, 'buf.yaml'), '');
const paths = [...inputs, join(deps, 'envoy-api/envoy/service/discovery/v3/ads.proto')].flatMap((p) => ['--path', relative(root, p)]);
execFileSync(
  process.execPath,
  [buf, 'generate', '.', '--config', JSON.stringify(config), '--template', JSON.stringify(template), ...paths],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
rmSync(join(out, 'buf.yaml'));
writeFileSync(stamp, digest);
