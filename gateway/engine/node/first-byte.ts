import type { Duplex } from 'node:stream';

/** `chunk` came from the side named; `closed`: upstream ended or broke before any byte moved; `downstream-ended`: it sent its end first. */
export type FirstByte =
  | { readonly kind: 'upstream' | 'downstream'; readonly chunk: Buffer }
  | { readonly kind: 'closed' | 'downstream-ended' | 'downstream-gone' };

/**
 * Waits for the first sign of life, so that an upstream that dies before one can be replaced by another without anybody
 * noticing. Leaves both streams paused. `watchDownstream`: also wait for the caller's first byte, for protocols in which
 * either side may speak first; without it the caller is left unread.
 */
export function firstByte(downstream: Duplex, upstream: Duplex, watchDownstream: boolean): Promise<FirstByte> {
  return new Promise((resolve) => {
    const undo: (() => void)[] = [];
    const finish = (result: FirstByte) => {
      upstream.pause();
      downstream.pause();
      for (const each of undo) each();
      resolve(result);
    };
    const listen = (stream: Duplex, event: string, listener: (chunk: Buffer) => void) => {
      stream.on(event, listener);
      undo.push(() => stream.off(event, listener));
    };
    listen(upstream, 'data', (chunk) => finish({ kind: 'upstream', chunk }));
    for (const event of ['end', 'close', 'error']) listen(upstream, event, () => finish({ kind: 'closed' }));
    for (const event of ['close', 'error']) listen(downstream, event, () => finish({ kind: 'downstream-gone' }));
    if (watchDownstream) {
      listen(downstream, 'data', (chunk) => finish({ kind: 'downstream', chunk }));
      listen(downstream, 'end', () => finish({ kind: 'downstream-ended' }));
      // The end may have been emitted while the endpoint was dialled, paused or not.
      if (downstream.readableEnded) return finish({ kind: 'downstream-ended' });
      downstream.resume();
    }
    upstream.resume();
    if (upstream.destroyed) finish({ kind: 'closed' });
  });
}
