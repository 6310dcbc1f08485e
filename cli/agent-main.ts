import { runCommands } from './command-line.ts';
import { addAgent } from './commands/agent.ts';
import { processIo } from './process-io.ts';

// `isthmus agent` alone, which packages hold as one script: a script has no await at its top.
void runCommands(process.argv.slice(2), processIo(), addAgent).then((code) => {
  process.exitCode = code;
});
