import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { TestContext } from 'node:test';
import { onEnd } from './on-end.ts';
import { runAs } from './other-user.ts';

/**
 * Asks for X.509-SVIDs `times` times at once, over as many connections, as another user: a program that shares no code with ours but grpc-js, which it
 * loads before it becomes that user.
 */
export async function askAs(
  t: TestContext,
  uid: number,
  socket: string,
  times: number,
): Promise<{ readonly uid: number; readonly answers: string[] }> {
  const grpc = createRequire(import.meta.url).resolve('@grpc/grpc-js');
  const { child, kill } = runAs({ uid, gid: uid, before: `const grpc = require(${JSON.stringify(grpc)});` }, asking(socket, times));
  onEnd(t, kill);
  let text = '';
  child.stdout?.on('data', (piece: Buffer) => {
    text += piece.toString();
  });
  await once(child, 'close');
  return { uid, answers: JSON.parse(text) as string[] };
}

/** Field 1 of the first message of field 1: svids[0].spiffe_id. */
const asking = (socket: string, times: number) => `
const asIs = (bytes) => bytes;
const idOf = (bytes) => {
  let at = 1;
  while (bytes[at++] & 0x80);
  return bytes.subarray(at + 2, at + 2 + bytes[at + 1]).toString();
};
const ask = () => new Promise((resolve) => {
  const client = new grpc.Client('unix:${socket}', grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const metadata = new grpc.Metadata();
  metadata.set('workload.spiffe.io', 'true');
  const call = client.makeServerStreamRequest('/SpiffeWorkloadAPI/FetchX509SVID', asIs, asIs, Buffer.alloc(0), metadata);
  call.on('data', (bytes) => { resolve(idOf(bytes)); call.cancel(); client.close(); });
  call.on('error', (error) => { resolve('error ' + error.code); client.close(); });
});
Promise.all(Array.from({ length: ${times} }, ask)).then((all) => { console.log(JSON.stringify(all)); process.exit(0); });
`;
