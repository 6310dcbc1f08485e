import type { ServerWritableStream, ServiceError } from '@grpc/grpc-js';

export type Refusal = Pick<ServiceError, 'code' | 'details'>;

export interface Following<T> {
  /** What the caller is to know now, or why it may know nothing (any more). */
  readonly compose: () => { readonly message: T } | { readonly refusal: Refusal };
  readonly encode: (message: T) => Uint8Array;
  /** Returns its undoing. */
  readonly subscribe: (listener: () => void) => () => void;
  /** When the stream is over, however. Called once. */
  readonly onEnd: () => void;
}

/**
 * Says at once what there is, and again after each change that makes a difference. A caller that does not read gets the newest when it reads
 * again, and nothing of what was between. Ends when the caller does, or with the refusal.
 */
export function follow<T>(call: ServerWritableStream<unknown, T>, { compose, encode, subscribe, onEnd }: Following<T>): void {
  let last: Uint8Array | undefined;
  let blocked = false;
  let over = false;
  const finish = () => {
    if (over) return;
    over = true;
    undo();
    onEnd();
  };
  const say = () => {
    if (over || blocked) return;
    const next = compose();
    if ('refusal' in next) {
      finish();
      call.emit('error', next.refusal);
      return;
    }
    const bytes = encode(next.message);
    if (last !== undefined && Buffer.compare(last, bytes) === 0) return;
    last = bytes;
    if (call.write(next.message)) return;
    blocked = true;
    call.once('drain', () => {
      blocked = false;
      say();
    });
  };
  const undo = subscribe(say);
  call.on('cancelled', finish);
  call.on('error', finish);
  call.on('close', finish);
  call.on('finish', finish);
  say();
}
