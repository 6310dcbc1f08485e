import type { Etcd3, IEvent, IWatchResponse } from 'etcd3';
import { childController, exponentialBackoff, isAborted } from '../../core/lifecycle.ts';
import type { StoreChange, WatchBatch } from '../../core/store.ts';
import { compacted, type EtcdStoreOptions, etcdError } from './etcd-connection.ts';
import { KeySpace } from './key-space.ts';

type WatchStream = Awaited<ReturnType<Etcd3['watchClient']['watch']>> & AsyncIterable<IWatchResponse>;

/** A watch that outlives its connections: it goes on after the last revision that it has seen, and misses none. */
export async function* watchEtcd(
  client: Etcd3,
  options: EtcdStoreOptions,
  prefix: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch> {
  const keys = new KeySpace(options.prefix);
  const backoff = exponentialBackoff({ baseMs: 100, maxMs: 5_000, random: options.random });
  let seen = after;
  while (!signal.aborted) {
    const { controller, release } = childController(signal);
    try {
      for await (const response of responses(client, keys, prefix, seen + 1, controller.signal)) {
        backoff.reset();
        const fault = faultOf(response, seen);
        if (fault !== undefined) throw fault;
        for (const batch of batchesOf(keys, response)) {
          seen = batch.revision;
          yield batch;
        }
        // A response without events is etcd's word that there were none until then, once the watch is established.
        if (!response.created && response.events.length === 0) seen = Math.max(seen, Number(response.header.revision));
      }
    } catch (error) {
      const failure = etcdError(options, error);
      if (failure.code === 'COMPACTED') throw failure;
      if (failure.code === 'STORE_UNAVAILABLE' && !failure.retryable && !signal.aborted) throw failure;
    } finally {
      controller.abort();
      release();
    }
    if (!(await pause(options, backoff.next(), signal))) return;
  }
}

async function* responses(
  client: Etcd3,
  keys: KeySpace,
  prefix: string,
  start: number,
  signal: AbortSignal,
): AsyncGenerator<IWatchResponse> {
  // A unary call first: it is the one that notices an expired auth token and gets a new one.
  await client.kv.range({ key: keys.key('probe'), count_only: true });
  const stream = (await client.watchClient.watch()) as WatchStream;
  const stop = () => stream.cancel();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    stream.write({ create_request: { ...keys.range(prefix), start_revision: String(start), progress_notify: true } });
    yield* stream;
  } finally {
    signal.removeEventListener('abort', stop);
    stream.cancel();
  }
}

function faultOf(response: IWatchResponse, seen: number): Error | undefined {
  if (Number(response.compact_revision) > 0) return compacted(`changes after revision ${seen} have been compacted: list again`);
  if (response.canceled) return new Error(response.cancel_reason || 'etcd ended the watch');
  if (response.created && Number(response.header.revision) < seen) {
    return compacted(`etcd is at revision ${response.header.revision}, before ${seen}: it was restored from a backup; list again`);
  }
  return undefined;
}

/** A response holds whole revisions, in order. */
function batchesOf(keys: KeySpace, response: IWatchResponse): WatchBatch[] {
  const byRevision = new Map<number, StoreChange[]>();
  for (const event of response.events) {
    const revision = Number(event.kv.mod_revision);
    const changes = byRevision.get(revision) ?? [];
    changes.push(changeOf(keys, event));
    byRevision.set(revision, changes);
  }
  return [...byRevision].map(([revision, changes]) => ({ revision, changes }));
}

function changeOf(keys: KeySpace, event: IEvent): StoreChange {
  return event.type === 'Delete' ? { kind: 'delete', key: keys.name(event.kv.key) } : { kind: 'put', entry: keys.entry(event.kv) };
}

/** False: aborted. */
async function pause(options: EtcdStoreOptions, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await options.clock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (isAborted(error)) return false;
    throw error;
  }
}
