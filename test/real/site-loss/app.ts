import { createServer } from 'node:http';

/** `node app.js SITE PORT`: answers which site it is at. */
const [, , site = '', port = '0'] = process.argv;
const server = createServer((request, response) => {
  request.resume();
  response.end(site);
});
server.keepAliveTimeout = 75_000;
server.listen(Number(port), '127.0.0.1');
process.once('SIGTERM', () => server.close(() => process.exit(0)));
