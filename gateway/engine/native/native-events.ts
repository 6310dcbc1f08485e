import { Socket } from 'node:net';
import type { AttemptFailure, EngineOptions } from '../contract.ts';
import type { NodeEngine } from '../node/node-engine.ts';
import type { NativeAddon } from './addon.ts';
import type { TablesEncoder } from './encode-tables.ts';
import type { NativeBatch, NativeDelivered, NativeEvent, NativeHanded } from './messages.ts';
import type { NativeDials } from './native-dials.ts';
import type { NativeListeners } from './native-listeners.ts';
import type { PairedEnds } from './paired-ends.ts';
import { endsOf, readDelivered } from './read-delivered.ts';
import { readReport } from './read-report.ts';

interface Parts {
  readonly addon: NativeAddon;
  readonly engine: number;
  readonly options: EngineOptions;
  readonly encoder: TablesEncoder;
  readonly listeners: NativeListeners;
  readonly ends: PairedEnds;
  readonly dials: NativeDials;
  /** Takes what the crate does not carry. */
  readonly node: NodeEngine;
}

/** What the crate tells, to whom it is for. */
export class NativeEvents {
  readonly #parts: Parts;
  #handed = 0;
  #disposed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Connections that both engines have counted. */
  get handed(): number {
    return this.#handed;
  }

  /** From now on connections that come with what is told are closed: nobody is there to take them. */
  dispose(): void {
    this.#disposed = true;
  }

  /** Everything that has been told since. Throws what the first observer threw, after all others had theirs. */
  take(): void {
    const { addon, engine, encoder } = this.#parts;
    const batch = JSON.parse(addon.events(engine)) as NativeBatch;
    const failures: unknown[] = [];
    for (const event of batch.events) {
      try {
        this.#take(event);
      } catch (error) {
        failures.push(error);
      }
    }
    encoder.forget(batch.released);
    if (failures.length > 0) throw failures[0];
  }

  #take(event: NativeEvent): void {
    const { encoder, dials, ends } = this.#parts;
    const { onAttempt, onConnection, onForward, onPeer, onTrouble } = this.#parts.options;
    switch (event.kind) {
      case 'attempt': {
        const endpoint = encoder.endpoint(event.endpoint);
        if (endpoint === undefined) return;
        const attempt = { clusterName: event.cluster, endpoint, result: event.result as AttemptFailure };
        for (let i = 0; i < event.count; i++) onAttempt(attempt);
        return;
      }
      case 'forward':
      case 'ended': {
        const report = readReport(event, event.endpoint === null ? undefined : encoder.endpoint(event.endpoint));
        if (event.kind === 'ended') onConnection(report);
        else onForward?.(report);
        return;
      }
      case 'peer':
        onPeer?.(event.peer);
        return;
      case 'handed':
        this.#adopt(event);
        return;
      case 'delivered':
        this.#deliver(event);
        return;
      case 'dialled':
        dials.dialled(event);
        return;
      case 'broken':
        ends.broken(event.number);
        return;
      case 'trouble':
        onTrouble?.(event.what, event.detail);
    }
  }

  /** Its connection stays the crate's: it tells of its end. */
  #deliver(event: NativeDelivered): void {
    const socket = this.#parts.ends.adopt(event.number, event.fd);
    if (this.#disposed) socket.destroy();
    else this.#parts.options.deliver(readDelivered(event, socket));
  }

  #adopt({ number, listener, fd, preface, told }: NativeHanded): void {
    const { addon, engine, listeners, node } = this.#parts;
    const socket = new Socket({ fd, allowHalfOpen: true });
    socket.pause();
    socket.on('error', () => {});
    socket.once('close', () => {
      if (!this.#disposed) addon.release(engine, number);
    });
    const spec = listeners.spec(listener);
    if (spec === undefined || this.#disposed) {
      socket.destroy();
      return;
    }
    this.#handed += 1;
    if (preface !== '') socket.unshift(Buffer.from(preface, 'hex'));
    // Its PROXY header was read before it was handed over.
    const { acceptProxy: _, ...own } = spec;
    node.adopt(own, socket, endsOf(told));
  }
}
