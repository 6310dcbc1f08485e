import { install } from './install.ts';
import { recipes, type ServerName } from './recipes.ts';

// Those that are named, or all.
const all = Object.keys(recipes) as ServerName[];
const named = process.argv.slice(2);
const unknown = named.filter((name) => !(all as string[]).includes(name));
if (unknown.length > 0) throw new Error(`no recipe for ${unknown.join(', ')}: there are ${all.join(', ')}`);
// One after another: each Go build already uses every core.
for (const name of named.length > 0 ? all.filter((each) => named.includes(each)) : all) {
  const { version, folder } = await install(name);
  process.stdout.write(`${name} ${version} ${folder}\n`);
}
