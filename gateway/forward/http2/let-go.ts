import type { Http2Stream } from 'node:http2';

const nothing = (): void => {};

/**
 * Takes what listens to a stream away once it has closed. V8 keeps Node's native half of a stream until a full collection, and
 * with it the stream; so what its listeners hold, the whole request, is not to hang on that.
 */
export function letGoWhenClosed(stream: Http2Stream): void {
  stream.once('close', () => {
    // After whoever else listens for the close.
    setImmediate(() => stream.removeAllListeners().on('error', nothing));
  });
}
