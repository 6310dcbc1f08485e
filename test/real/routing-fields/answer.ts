import type { IncomingHttpHeaders } from 'node:http';

/** What a backend says that it saw. */
export interface SeenRequest {
  readonly by: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly httpVersion?: string;
  readonly tls?: { readonly sni: string; readonly alpn: string; readonly client: string };
}

export interface Answer {
  /** 0: none came. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly text: string;
  /** What the backend says it saw, where one answered. */
  readonly seen?: SeenRequest;
  /** What whoever ended TLS has shown and agreed to. */
  readonly server?: { readonly certificate: string; readonly version: string };
  readonly ms: number;
}

export type Untimed = Omit<Answer, 'ms'>;
export const none: Untimed = { status: 0, headers: {}, trailers: {}, text: '' };
/** Ms; far over all that a case waits for. */
export const patienceMs = 20_000;

/** What is sent; an application behind a proxy says the same in each version. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
}

export function answered(status: number, headers: IncomingHttpHeaders, trailers: IncomingHttpHeaders, text: string): Untimed {
  const seen = headers['x-by'] === undefined || !text.startsWith('{') ? {} : { seen: JSON.parse(text) as SeenRequest };
  return { status, headers, trailers, text, ...seen };
}
