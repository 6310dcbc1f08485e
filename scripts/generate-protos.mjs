// Generates core/xds/gen from our .proto files and from those that @grpc/grpc-js-xds ships, with buf and ts-proto.
// Skipped when nothing that goes in has changed, so that every npm script can call it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

// What the envoy and grpc dialects are made of; what these import comes along.
const envoyFiles = [
  'config/listener/v3/listener.proto',
  'service/accesslog/v3/als.proto',
  'service/discovery/v3/ads.proto',
  'service/cluster/v3/cds.proto',
  'service/endpoint/v3/eds.proto',
  'service/listener/v3/lds.proto',
  'service/load_stats/v3/lrs.proto',
  'service/route/v3/rds.proto',
  'service/secret/v3/sds.proto',
  'extensions/access_loggers/filters/cel/v3/cel.proto',
  'extensions/access_loggers/grpc/v3/als.proto',
  'extensions/access_loggers/stream/v3/stream.proto',
  'extensions/clusters/aggregate/v3/cluster.proto',
  'extensions/filters/common/set_filter_state/v3/value.proto',
  'extensions/filters/http/cors/v3/cors.proto',
  'extensions/filters/http/fault/v3/fault.proto',
  'extensions/filters/http/jwt_authn/v3/config.proto',
  'extensions/filters/http/rbac/v3/rbac.proto',
  'extensions/filters/http/router/v3/router.proto',
  'extensions/filters/listener/tls_inspector/v3/tls_inspector.proto',
  'extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
  'extensions/filters/network/rbac/v3/rbac.proto',
  'extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
  'extensions/load_balancing_policies/round_robin/v3/round_robin.proto',
  'extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.proto',
  'extensions/matching/common_inputs/ssl/v3/ssl_inputs.proto',
  'extensions/matching/input_matchers/ip/v3/ip.proto',
  'extensions/retry/priority/previous_priorities/v3/previous_priorities_config.proto',
  'extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto',
  'extensions/transport_sockets/tls/v3/tls.proto',
  'extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.proto',
  'extensions/upstreams/http/v3/http_protocol_options.proto',
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
// A field that Envoy has and the API that comes along does not: who of several clusters takes a request may be told by its hash.
const api = join(root, 'build/envoy-api');
rmSync(api, { recursive: true, force: true });
cpSync(join(deps, 'envoy-api'), api, { recursive: true });
const routes = join(api, 'envoy/config/route/v3/route_components.proto');
const known = readFileSync(routes, 'utf8');
if (!known.includes('use_hash_policy')) {
  writeFileSync(routes, known.replace('oneof random_value_specifier {', '$&\n    google.protobuf.BoolValue use_hash_policy = 5;'));
}
// The validation rules that come along are older than the Envoy API that comes along with them: one field is missing.
const rules = join(root, 'build/protos');
mkdirSync(join(rules, 'validate'), { recursive: true });
const shipped = readFileSync(join(deps, 'protoc-gen-validate/validate/validate.proto'), 'utf8');
const complete = shipped.includes('ignore_empty')
  ? shipped
  : shipped.replace('message StringRules {', 'message StringRules {\n    optional bool ignore_empty = 26;');
writeFileSync(join(rules, 'validate/validate.proto'), complete);
const config = {
  version: 'v2',
  modules: [ours, rules, api, ...['googleapis', 'xds'].map((d) => join(deps, d))].map(module),
};
const template = { version: 'v2', plugins: [{ local: plugin, out: relative(root, out), opt: options, include_imports: true }] };
writeFileSync(join(out, 'buf.yaml'), '');
const paths = [...inputs, ...envoyFiles.map((file) => join(api, 'envoy', file))].flatMap((p) => ['--path', relative(root, p)]);
execFileSync(
  process.execPath,
  [buf, 'generate', '.', '--config', JSON.stringify(config), '--template', JSON.stringify(template), ...paths],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
rmSync(join(out, 'buf.yaml'));
writeFileSync(stamp, digest);
