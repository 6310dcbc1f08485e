import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { parseSpiffeId } from '../../core/model/index.ts';
import { noClaims } from '../../core/xds/claims.ts';
import type { ResourceView } from '../../core/xds/index.ts';
import type { BenchSize } from '../bench-mesh.ts';
import { cluster, trustDomain } from '../bench-pki.ts';
import { network } from '../bench-records.ts';
import { costOf } from '../measure.ts';
import { BenchControl } from './bench-control.ts';

/** The argument with which main loads a mesh in place of measuring. */
export const fullLoadArgument = 'xds-full-load-process';

export const loadedClients = ['native agent', 'native gateway', 'envoy agent', 'grpc agent'] as const;
export type LoadedClient = (typeof loadedClients)[number];

/** What a mesh costs a control plane that was empty. Bytes are heap and external memory, after a full collection. */
export interface FullLoad {
  /** From the registry's first full snapshot until every resource of the native agents' class is encoded. */
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly catalogBytes: number;
  /** What a class of clients adds to it, in this order; those that this version serves. */
  readonly added: Readonly<Partial<Record<LoadedClient, number>>>;
}

/** In a new process each time: what was before would be in the figures. */
export async function measureFullLoad(size: BenchSize): Promise<FullLoad> {
  const [, main = ''] = process.argv;
  const execArgv = [...process.execArgv, '--expose-gc'];
  const child = fork(main, [fullLoadArgument], { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  child.send(size);
  const first = await Promise.race([once(child, 'message'), exited.then(() => undefined)]);
  if (first === undefined) throw new Error('the process that loads the mesh ended before it had');
  await exited;
  return first[0] as FullLoad;
}

/** Answers its parent once, and ends. */
export async function serveFullLoad(): Promise<void> {
  const [size] = (await once(process, 'message')) as [BenchSize];
  const control = await BenchControl.idle(size);
  const views: ResourceView[] = [];
  const encode = (who: LoadedClient) => {
    const view = viewOf(control, who);
    if (view === undefined) return false;
    view.subscribe(() => {});
    views.push(view);
    let bytes = 0;
    for (const resources of view.current()?.values() ?? []) for (const each of resources.values()) bytes += each.value.length;
    if (bytes < size.endpoints) throw new Error(`${who}: ${bytes} bytes are too few for ${size.endpoints} endpoints`);
    return true;
  };
  const empty = await footprint();
  const { wallUs, cpuUs } = await loadAndEncode(control, encode);
  // An adapter holds on to the event that it gave last, until the next one.
  await control.mesh.apply(control.mesh.nextChanges(1));
  const both = await footprint();
  const added: Partial<Record<LoadedClient, number>> = {};
  let last = both;
  for (const who of loadedClients.slice(1)) {
    if (!encode(who)) continue;
    const now = await footprint();
    added[who] = now - last;
    last = now;
  }
  process.send?.({ wallMs: wallUs / 1e3, cpuMs: cpuUs / 1e3, catalogBytes: both - empty, added } satisfies FullLoad);
  process.disconnect();
  await control.stop();
}

/** The registry's snapshot is made outside of what is measured, and let go of. */
function loadAndEncode(control: BenchControl, encode: (who: LoadedClient) => boolean) {
  const snapshot = control.mesh.firstSnapshot();
  return costOf(async () => {
    await control.load(snapshot);
    encode(loadedClients[0]);
  });
}

/** Undefined: a dialect that is not served. */
function viewOf(control: BenchControl, who: LoadedClient): ResourceView | undefined {
  const [dialect, kind] = who.split(' ') as ['native' | 'envoy' | 'grpc', 'agent' | 'gateway'];
  const identity = parseSpiffeId(`spiffe://${trustDomain}/ns/shop/sa/bench`);
  if (identity === undefined) throw new Error('not a SPIFFE id');
  const client = { dialect, kind, identity, cluster, network, locality: '', labels: {}, claims: { ...noClaims, anchors: [cluster] } };
  try {
    return control.snapshots.resources.view(client);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** What was read in a turn of the event loop lives at least as long as that turn. */
async function footprint(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await turnOfTheLoop();
    globalThis.gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
