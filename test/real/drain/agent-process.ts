import { runAgent } from '../../../sidecar-vm/main.ts';
import { agentOptions } from '../../support/agent-plane.ts';

// One VM agent by itself: its options are the argument, as JSON. Runs until it is killed.
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await runAgent(agentOptions(JSON.parse(process.argv[2] ?? '')), stop.signal);
