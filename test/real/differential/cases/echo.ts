import type { IncomingMessage } from 'node:http';
import type { Handler } from '../backends/http-backend.ts';
import { headersThatMatter } from '../clients/http-call.ts';
import { Digest, type Outcome } from '../outcome.ts';

/** Answers 200 with the request as the application saw it. */
export const echo: Handler = (request, response) => {
  seen(request).then(
    (saw) => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(saw)),
    () => response.destroy(),
  );
};

/** Reads the body to its end. Rejects when it breaks off. */
async function seen(request: IncomingMessage): Promise<{ readonly [key: string]: Outcome }> {
  const digest = new Digest();
  for await (const chunk of request) digest.add(chunk as Buffer);
  const { method = '', url = '', httpVersion, rawHeaders, rawTrailers } = request;
  return {
    line: `${method} ${url} HTTP/${httpVersion}`,
    headers: headersThatMatter(rawHeaders),
    body: digest.text,
    trailers: headersThatMatter(rawTrailers),
  };
}

/** The body of an echo's answer, as data. */
export function echoed<T extends { readonly body: string }>(answer: T): Omit<T, 'body' | 'headers'> & { readonly app: Outcome } {
  const { body, headers: _headers, ...rest } = answer as T & { readonly headers?: unknown };
  return { ...(rest as Omit<T, 'body' | 'headers'>), app: body.startsWith('{') ? (JSON.parse(body) as Outcome) : body };
}
