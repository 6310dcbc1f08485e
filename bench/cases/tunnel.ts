import { once } from 'node:events';
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { mtlsClientOptions, mtlsServerOptions } from '../../core/identity/index.ts';
import { clusterSan, formatSpiffeId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { abortStream, pump } from '../../gateway/engine/index.ts';
import { leadStream } from '../../gateway/tunnel/lead-stream.ts';
import { defaultMuxLimits, Mux } from '../../gateway/tunnel/mux.ts';
import type { BenchCase } from '../bench-case.ts';
import { cluster, issue, openBenchAuthority, trustDomain, withFolder } from '../bench-pki.ts';
import { alternate } from '../measure.ts';
import { caseReport } from '../report.ts';

const requestBytes = 1_024;

/** All in one process: the client, a hop as a gateway is one, the far end, and the server. */
export const tunnel: BenchCase = {
  name: 'tunnel',
  about: 'bytes through a gateway and a tunnel, beside the same gateway that dials the server',
  run: (bench) =>
    withFolder(async (dir) => {
      const authority = await openBenchAuthority(dir);
      const ends: (() => void)[] = [];
      try {
        const echo = await listen(ends, (socket) => void socket.pipe(socket));
        const sink = await listen(ends, (socket) => void socket.on('data', () => {}).on('end', () => socket.end()));
        const open = async (port: number) => {
          const mux = await tunnelTo(ends, authority, port);
          return listen(ends, (socket) => join(socket, mux.openStream()));
        };
        const dialled = (port: number) => listen(ends, (socket) => join(socket, connectTcp({ port, host: '127.0.0.1', noDelay: true })));
        const places = { tunnel: [await open(echo), await open(sink)], dialled: [await dialled(echo), await dialled(sink)] } as const;
        const round =
          ([ask, send]: readonly [number, number]) =>
          async () => ({
            p50: await roundTrips(ask, bench.roundMs / 2),
            rate: await bulk(send, bench.roundMs / 2),
          });
        const figures = await alternate({ ours: round(places.tunnel), theirs: round(places.dialled) }, bench.rounds);
        const { ours, theirs } = figures;
        const peer = (figure: typeof ours.p50) => ({ name: 'dialled', figure });
        return [
          caseReport({ name: 'tunnel 1 KiB there and back, p50', unit: 'µs', better: 'less', ours: ours.p50, peer: peer(theirs.p50) }),
          caseReport({ name: 'tunnel bytes', unit: 'MB/s', better: 'more', ours: ours.rate, peer: peer(theirs.rate) }),
        ];
      } finally {
        for (const end of ends.reverse()) end();
      }
    }),
};

async function listen(ends: (() => void)[], onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

/** As a gateway joins a caller and an endpoint. */
function join(caller: Socket, upstream: Duplex | undefined): void {
  if (upstream === undefined) return void caller.destroy();
  void pump(caller, upstream, abortStream, { downstreamEnded: false, onBytes: () => {}, onHalfClosed: () => {} }).then(() => {
    caller.destroy();
    upstream.destroy();
  });
}

/** A tunnel whose far end leads to that port; the end that opens streams. */
async function tunnelTo(ends: (() => void)[], authority: Awaited<ReturnType<typeof openBenchAuthority>>, port: number): Promise<Mux> {
  const [gateway, far] = [issue(authority, 'isthmus-system', 'gateway'), issue(authority, 'shop', 'orders')];
  const bundle = authority.bundle();
  const server = createTlsServer(mtlsServerOptions(gateway, bundle));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const at = address !== null && typeof address === 'object' ? address.port : 0;
  const target = { sni: 'isthmus-tunnel', uriSans: [formatSpiffeId(gateway.spiffeId)], clusterSan: clusterSan(cluster, trustDomain) };
  const client = connectTls({ host: '127.0.0.1', port: at, ...mtlsClientOptions(far, bundle, target, () => systemClock.now()) });
  const [[accepted]] = (await Promise.all([once(server, 'secureConnection'), once(client, 'secureConnect')])) as [[Duplex], unknown];
  const common = { limits: defaultMuxLimits, clock: systemClock, onEnd: () => {} };
  const takes = new Mux(client, {
    ...common,
    side: 'takes',
    onStream: (stream) => void leadStream(stream, { host: '127.0.0.1', port, onBytes: () => {} }),
  });
  const opens = new Mux(accepted, { ...common, side: 'opens' });
  ends.push(() => {
    takes.end('done');
    opens.end('done');
    server.close();
  });
  return opens;
}

/** One request after the other on one connection; the median, in µs. */
async function roundTrips(port: number, ms: number): Promise<number> {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const times: number[] = [];
  const request = Buffer.alloc(requestBytes);
  const until = performance.now() + ms;
  while (performance.now() < until) {
    const begun = performance.now();
    socket.write(request);
    for (let got = 0; got < requestBytes; ) got += ((await once(socket, 'data')) as [Buffer])[0].length;
    times.push((performance.now() - begun) * 1_000);
  }
  socket.destroy();
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

/** As fast as they are taken; MB/s. */
async function bulk(port: number, ms: number): Promise<number> {
  const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  const chunk = Buffer.alloc(65_536);
  const begun = performance.now();
  let sent = 0;
  while (performance.now() - begun < ms) {
    sent += chunk.length;
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  socket.resume();
  await once(socket, 'end');
  const rate = sent / 1_000 / (performance.now() - begun);
  socket.destroy();
  return rate;
}
