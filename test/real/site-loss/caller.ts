import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { LoadAssignment } from '../../../core/xds/gen/isthmus/native/v1/native.ts';
import { nativeTypeUrls } from '../../../core/xds/index.ts';
import { Planes } from '../../integration/gateway/planes.ts';

/*
 * A caller with its proxy, for one network namespace: `node caller.js '[{"address":...,"port":...,"locality":...},...]' RATE`. Asks
 * at a fixed pace, whether or not earlier requests were answered, until its input ends; then prints what became of each.
 */

export interface Asked {
  /** Unix ms when it was sent. */
  readonly at: number;
  readonly tookMs: number;
  /** 0: no answer within ten seconds, or a broken one. */
  readonly status: number;
  readonly body: string;
}

interface Target {
  readonly address: string;
  readonly port: number;
  readonly locality: string;
}

const [targets = '[]', rate = '500'] = process.argv.slice(2);
const planes = new Planes();
const { port, node } = await planes.caller([]);
give(JSON.parse(targets) as readonly Target[]);
const agent = new Agent({ keepAlive: true, maxFreeSockets: 64 });
const asked: Asked[] = [];
const pending = new Set<Promise<void>>();
let sent = 0;
const began = performance.now();
const pace = setInterval(() => {
  for (const due = ((performance.now() - began) / 1_000) * Number(rate); sent < due; sent++) {
    const one = ask().finally(() => pending.delete(one));
    pending.add(one);
  }
}, 2);
console.log('asking');
for await (const _ of createInterface({ input: process.stdin }));
clearInterval(pace);
await Promise.all(pending);
agent.destroy();
await planes.close();
console.log(JSON.stringify(asked));

/** Equal shares for all localities, as `distribute` compiles to. */
function give(endpoints: readonly Target[]): void {
  const [{ clusterName } = { clusterName: '' }] = [...node.state.current.assignments.values()];
  const localities = [...new Set(endpoints.map(({ locality }) => locality))].map((locality) => ({ priority: 0, locality, weight: 50 }));
  const message = LoadAssignment.fromPartial({
    clusterName,
    endpoints: endpoints.map((each, i) => ({ ...each, weight: 1, cluster: each.locality, instance: `app-${i}`, runtime: 'vm' })),
    localities,
  });
  const any = { typeUrl: nativeTypeUrls.loadAssignment, value: Buffer.from(LoadAssignment.encode(message).finish()) };
  const changed = [{ name: clusterName, version: 'localities', any }];
  const refused = node.state.apply({ typeUrl: any.typeUrl, changed, removed: [] });
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
}

function ask(): Promise<void> {
  const at = Date.now();
  const start = performance.now();
  return new Promise((resolve) => {
    const done = (status: number, body: string) => {
      asked.push({ at, tookMs: Math.round(performance.now() - start), status, body });
      resolve();
    };
    const get = request({ host: '127.0.0.1', port, agent, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('close', () => done(response.complete ? (response.statusCode ?? 0) : 0, body));
    });
    get.on('timeout', () => get.destroy());
    get.on('error', (error) => done(0, error.message));
    get.end();
  });
}
