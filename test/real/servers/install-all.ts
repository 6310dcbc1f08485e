import { install } from './install.ts';
import { recipes, type ServerName } from './recipes.ts';

// One after another: each Go build already uses every core.
for (const name of Object.keys(recipes) as ServerName[]) {
  const { version, folder } = await install(name);
  process.stdout.write(`${name} ${version} ${folder}\n`);
}
