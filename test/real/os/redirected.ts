import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { originalDestination, setTransparent, socketFd } from '../../../core/os/index.ts';

/** Runs in a network namespace of its own whose netfilter sends port 80 of every address to 15001: says where each connection was going. */
const [listenAt, ...destinations] = process.argv.slice(2);
const server = createServer();
server.listen(15_001, listenAt);
await once(server, 'listening');
setTransparent(socketFd(server) ?? -1, listenAt === '0.0.0.0' ? 'ipv4' : 'ipv6');
for (const address of destinations) {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect(80, address);
  const [socket] = await accepted;
  console.log(JSON.stringify(originalDestination(socketFd(socket) ?? -1)));
  client.destroy();
  socket.destroy();
}
server.close();
