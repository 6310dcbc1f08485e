// The agent as packages hold it: build/cli/agent-main.js with all that it reaches, but for native modules, as FOLDER/agent-bundle.cjs,
// beside the agent.cjs that starts it. Usage: node scripts/bundle-agent.mjs --out FOLDER
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { out: { type: 'string' } } });
if (values.out === undefined) throw new Error('--out FOLDER is missing');
const out = resolve(values.out);
mkdirSync(out, { recursive: true });

const bundle = join(out, 'agent-bundle.cjs');
await build({
  absWorkingDir: root,
  entryPoints: ['build/cli/agent-main.js'],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.20',
  external: ['koffi'],
  define: { 'import.meta.url': 'bundleUrl' },
  // A function of what a module has, as Node itself wraps modules.
  banner: {
    js: '(function (exports, require, module, __filename, __dirname) {const bundleUrl = require("node:url").pathToFileURL(__filename).href;',
  },
  footer: { js: '})' },
  // Names stay, so that stacks can be read; escaped, the source is one byte a character in memory.
  minifyWhitespace: true,
  minifySyntax: true,
  charset: 'ascii',
  legalComments: 'none',
  logLevel: 'warning',
});
// What was kept for one version must not be taken for another's: V8 itself compares the length of the source alone.
const text = readFileSync(bundle);
writeFileSync(bundle, `// ${createHash('sha256').update(text).digest('hex')}\n${text}`);
copyFileSync(join(root, 'deploy/package/agent.cjs'), join(out, 'agent.cjs'));
