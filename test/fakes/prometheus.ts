import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** As Prometheus 2.42 answered, without the timestamps; `NOW` stands for that. */
const answers: Readonly<Record<string, string>> = {
  '42': '{"resultType":"scalar","result":[NOW,"42"]}',
  'vector(0.25)': '{"resultType":"vector","result":[{"metric":{},"value":[NOW,"0.25"]}]}',
  'vector(1) or label_replace(vector(2), "a", "b", "", "")':
    '{"resultType":"vector","result":[{"metric":{},"value":[NOW,"1"]},{"metric":{"a":"b"},"value":[NOW,"2"]}]}',
  'vector(0) / vector(0)': '{"resultType":"vector","result":[{"metric":{},"value":[NOW,"NaN"]}]}',
  '1 / 0': '{"resultType":"scalar","result":[NOW,"+Inf"]}',
  '-1 / 0': '{"resultType":"scalar","result":[NOW,"-Inf"]}',
  '"text"': '{"resultType":"string","result":[NOW,"text"]}',
  'vector(1)[1m:]': '{"resultType":"matrix","result":[{"metric":{},"values":[[NOW,"1"]]}]}',
  'vector(25) * 2': '{"resultType":"vector","result":[{"metric":{},"value":[NOW,"50"]}]}',
  'count_over_time(vector(1)[9s:3s] @ 1000)': '{"resultType":"vector","result":[{"metric":{},"value":[NOW,"3"]}]}',
};

const string = /"(?:\\x[0-9a-f]{2}|\\[\\n]|[^"\\\n])*"|'(?:\\x[0-9a-f]{2}|\\[\\n]|[^'\\\n])*'/;
const selector = new RegExp(`^(?:nothing_of_that_name|(?:sum\\()?nothing\\{service=(?:${string.source})\\}\\)?)$`);

/** Answers the expressions above; a selector has no sample, and the rest does not parse. */
export async function startFakePrometheus(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server: Server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const query = new URLSearchParams(Buffer.concat(parts).toString()).get('query') ?? '';
    const empty = selector.test(query);
    const known = answers[query] ?? (empty ? '{"resultType":"vector","result":[]}' : undefined);
    const ok = request.method === 'POST' && request.url === '/api/v1/query';
    const status = !ok ? 404 : known === undefined ? 400 : 200;
    const body =
      known === undefined
        ? '{"status":"error","errorType":"bad_data","error":"invalid parameter \\"query\\": 1:5: parse error: unclosed left parenthesis"}'
        : `{"status":"success","data":${known.replaceAll('NOW', String(Date.now() / 1000))}}`;
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
