import { createServer } from 'node:http';
import type { Breakage } from '../../fakes/breakable-server.ts';
import { BreakingProxy } from '../../fakes/breaking-proxy.ts';

/** `node registry-proxy.js TARGET PORT`: a proxy before a real registry in its own network namespace, broken by POST /BREAKAGE and repaired by POST /repair. */
const [, , target = '', port = '0'] = process.argv;
const proxy = new BreakingProxy(target);
await proxy.server.start();
const server = createServer((request, response) => {
  const wanted = request.url?.slice(1) ?? '';
  const done = request.method !== 'POST' ? undefined : wanted === 'repair' ? proxy.server.repair() : proxy.server.break(wanted as Breakage);
  Promise.resolve(done).then(
    () => response.end(proxy.server.url),
    () => response.destroy(),
  );
});
server.listen(Number(port), '127.0.0.1');
