import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeOwnerOnly } from '../../core/identity/index.ts';
import { type Stop, startProcess } from './converge-process.ts';

/** Between two looks at Envoy's clusters, ms; each look is one small answer of its main thread. */
const lookMs = 1;
const limitMs = 30_000;

/** An Envoy that some control plane feeds. */
export interface Contender {
  /**
   * Resolves, with performance.now() of the first answer that says so, when the endpoint 127.0.0.1:`port` is (`is`) or no longer is (not `is`)
   * among those that Envoy chooses from. Rejects after 30 s.
   */
  seen(port: number, is: boolean): Promise<number>;
  readonly stop: Stop;
}

export interface EnvoyBrief {
  readonly name: string;
  readonly envoy: string;
  readonly dir: string;
  /** JSON, with the admin interface on `adminPort` of loopback. */
  readonly bootstrap: string;
  readonly adminPort: number;
}

/** One worker thread; both contenders' Envoys differ in the bootstrap alone. */
export async function startEnvoyOf(brief: EnvoyBrief): Promise<Contender> {
  const config = join(brief.dir, `${brief.name}.json`);
  await writeOwnerOnly(config, brief.bootstrap);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (path: string) => askAdmin(agent, brief.adminPort, path);
  const stop = await startProcess({
    name: brief.name,
    command: brief.envoy,
    args: ['-c', config, '--disable-hot-restart', '--concurrency', '1', '-l', 'warning'],
    dir: brief.dir,
    ready: async () => (await ask('/ready')).startsWith('LIVE'),
  });
  return {
    seen: async (port, is) => {
      const endpoint = `::127.0.0.1:${port}::`;
      const end = performance.now() + limitMs;
      while ((await ask('/clusters')).includes(endpoint) !== is) {
        if (performance.now() > end) throw new Error(`${brief.name}: endpoint ${port} did not ${is ? 'come' : 'go'} within ${limitMs} ms`);
        await sleep(lookMs);
      }
      return performance.now();
    },
    stop: async () => {
      agent.destroy();
      await stop();
    },
  };
}

function askAdmin(agent: Agent, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ agent, host: '127.0.0.1', port, path }, (answer) => {
      answer.setEncoding('utf8');
      answer.toArray().then((parts) => resolve(parts.join('')), reject);
    });
    asked.once('error', reject).end();
  });
}
