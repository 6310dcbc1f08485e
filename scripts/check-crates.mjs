// Holds the native engine's dependencies to deny.toml, offline and without another tool: which there may be, once each, their licences and origin.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const crate = fileURLToPath(new URL('../gateway/engine/native/', import.meta.url));
const rules = readFileSync(`${crate}deny.toml`, 'utf8');

/** The texts of an array: the file has no other form of them. */
function listOf(section, key) {
  const body = rules.split(`[${section}]\n`)[1]?.split(/^\[/m)[0] ?? '';
  const array = new RegExp(`^${key} = \\[([^\\]]*)\\]`, 'm').exec(body)?.[1];
  if (array === undefined) throw new Error(`deny.toml has no ${section}.${key}`);
  return [...array.matchAll(/"([^"]+)"/g)].map(([, text]) => text);
}

/** An SPDX expression (AND binds closer than OR; a slash is an old way to write OR). */
function isAllowed(expression, allowed) {
  const tokens = expression.replaceAll('/', ' OR ').match(/[()]|[^\s()]+/g) ?? [];
  const operand = () => {
    const token = tokens.shift();
    if (token !== '(') return allowed.has(token);
    const inner = either();
    tokens.shift();
    return inner;
  };
  const both = () => {
    let all = operand();
    while (tokens[0] === 'AND' && tokens.shift()) all = operand() && all;
    return all;
  };
  const either = () => {
    let any = both();
    while (tokens[0] === 'OR' && tokens.shift()) any = both() || any;
    return any;
  };
  return either() && tokens.length === 0;
}

/** Of a target, in lines of name, version, licence and origin; crates.io is not named. */
function packagesOf(target, edges) {
  const args = ['tree', '--locked', '--all-features', '--target', target, '--edges', edges, '--prefix', 'none', '--format', '{p}|{l}'];
  const lines = new Set(
    execFileSync('cargo', args, { cwd: crate, encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('|')),
  );
  const packages = new Map();
  for (const line of lines) {
    const [, name, version, origin = '', licence] = /^(\S+) v(\S+)(?: \(proc-macro\))?(?: \((.*?)\))?(?: \(\*\))?\|(.*)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`cargo tree says ${line}`);
    packages.set(`${name} ${version}`, { name, version, origin, licence: licence.replace(/ \(\*\)$/, '') });
  }
  return [...packages.values()];
}

const allowed = new Set(listOf('bans', 'allow'));
const licences = new Set(listOf('licenses', 'allow'));
const faults = new Set();
const seen = new Set();
for (const target of listOf('graph', 'targets')) {
  const versions = new Map();
  for (const { name, version, licence } of packagesOf(target, 'normal,build')) {
    seen.add(name);
    if (versions.has(name)) faults.add(`${name} is there twice: ${versions.get(name)} and ${version}`);
    versions.set(name, version);
    if (!allowed.has(name)) faults.add(`${name} ${version} is not among the dependencies that there may be`);
    if (!isAllowed(licence, licences)) faults.add(`${name} ${version} is under ${licence || 'no licence that it names'}`);
  }
  for (const { name, version, origin } of packagesOf(target, 'normal,build,dev')) {
    if (origin !== '' && !crate.startsWith(origin)) faults.add(`${name} ${version} is from ${origin}`);
  }
}
for (const name of allowed) if (!seen.has(name)) faults.add(`${name} is no dependency any more: take it out of deny.toml`);
for (const fault of faults) process.stderr.write(`gateway/engine/native: ${fault}\n`);
process.exit(faults.size === 0 ? 0 : 1);
