import type { Socket } from 'node:net';
import { type ClientHello, ClientHelloParser, type HelloFault } from './client-hello.ts';

/** `bytes`: everything read so far, the hello first; owed to whoever handles the connection. */
export type HelloRead =
  | { readonly ok: true; readonly hello: ClientHello; readonly bytes: Buffer }
  | { readonly ok: false; readonly fault: HelloFault | 'hello-incomplete' | 'hello-silent'; readonly bytes: Buffer };

/**
 * Reads until the ClientHello is whole or cannot become one, then leaves the socket paused. The caller holds the deadline: it destroys the
 * socket. `quiet`: when it resolves before a byte has come, none is waited for any more.
 */
export function readHello(socket: Socket, maxBytes: number, quiet?: Promise<unknown>): Promise<HelloRead> {
  return new Promise((resolve) => {
    const parser = new ClientHelloParser(maxBytes);
    const chunks: Buffer[] = [];
    let done = false;
    const finish = (read: HelloRead) => {
      if (done) return;
      done = true;
      socket.off('data', onData);
      socket.off('end', onGone);
      socket.off('close', onGone);
      socket.pause();
      resolve(read);
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      const outcome = parser.push(chunk);
      if (outcome.kind === 'fault') finish({ ok: false, fault: outcome.fault, bytes: Buffer.concat(chunks) });
      if (outcome.kind === 'hello') finish({ ok: true, hello: outcome.hello, bytes: Buffer.concat(chunks) });
    };
    const onGone = () => finish({ ok: false, fault: 'hello-incomplete', bytes: Buffer.concat(chunks) });
    socket.on('data', onData);
    socket.on('end', onGone);
    socket.on('close', onGone);
    quiet?.then(() => {
      if (chunks.length === 0) finish({ ok: false, fault: 'hello-silent', bytes: Buffer.alloc(0) });
    });
    socket.resume();
  });
}
