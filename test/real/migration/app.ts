import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';

/**
 * The service that moves: `node app.js NAME PORT TCP_PORT FAILS DELAY_MS`. Answers with its name after the delay, and fails so many of 100
 * requests; whoever connects to the TCP port is told the name. Its /metrics are what a Prometheus counts of it, healthy whatever the rest does.
 */
const [, , name = '', port = '0', tcpPort = '0', fails = '0', delayMs = '0'] = process.argv;
const counts = new Map<string, number>();

const server = createServer((request, response) => {
  request.resume();
  if (request.url === '/healthz') return void response.end('ok');
  if (request.url === '/metrics') return void response.setHeader('content-type', 'text/plain; version=0.0.4').end(metrics());
  const code = Math.random() * 100 < Number(fails) ? 500 : 200;
  counts.set(String(code), (counts.get(String(code)) ?? 0) + 1);
  setTimeout(() => response.writeHead(code).end(name), Number(delayMs));
});
server.keepAliveTimeout = 75_000;
server.listen(Number(port), '0.0.0.0');
createTcpServer((socket) => {
  socket.on('error', () => undefined);
  socket.end(name);
}).listen(Number(tcpPort), '0.0.0.0');
process.once('SIGTERM', () => server.close(() => process.exit(0)));

function metrics(): string {
  const lines = ['200', '500'].map(
    (code) => `shop_requests_total{service="orders",namespace="shop",code="${code}"} ${counts.get(code) ?? 0}`,
  );
  return `# TYPE shop_requests_total counter\n${lines.join('\n')}\n`;
}
