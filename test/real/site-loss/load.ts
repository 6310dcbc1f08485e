import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import type { Load, LoadLine, Sample } from './samples.ts';

/*
 * Open loop, for one network namespace: `node load.js URL GETS_PER_SECOND POSTS_PER_SECOND`. Each request has its moment, whatever became of
 * earlier ones, and its time counts from then. Prints what came of each second; when its input ends, every sample. With tcp://HOST:PORT a
 * request is a connection, and what the other end says before it closes is the answer.
 */

const timeoutMs = 5_000;
/** The rate grows for so long, as connections become warm: all requests at once would measure handshakes. */
const warmingMs = 10_000;
const [url = '', gets = '500', posts = '0'] = process.argv.slice(2);
const target = new URL(url);
// Shorter than the proxy keeps them: no request meets a connection that is being closed.
const agent = new Agent({ keepAlive: true, maxFreeSockets: 512, timeout: 30_000 });
const samples: Sample[] = [];
const pending = new Set<Promise<void>>();
const lag = monitorEventLoopDelay({ resolution: 5 });
const now = (): number => performance.timeOrigin + performance.now();

let told = 0;
function tell(): void {
  const line: LoadLine = { answers: {}, failed: 0 };
  for (; told < samples.length; told++) {
    const { ok, site } = samples[told] as Sample;
    if (ok) line.answers[site] = (line.answers[site] ?? 0) + 1;
    else line.failed += 1;
  }
  console.log(JSON.stringify(line));
}

const streams: readonly { readonly method: Sample['method']; readonly rate: number; sent: number }[] = [
  { method: 'GET', rate: Number(gets), sent: 0 },
  { method: 'POST', rate: Number(posts), sent: 0 },
];
const began = now();
lag.enable();
const pace = setInterval(() => {
  for (const stream of streams) {
    const at = () => began + momentOf(stream.sent, stream.rate);
    for (; stream.rate > 0 && at() <= now(); stream.sent++) {
      const one = (target.protocol === 'tcp:' ? dial(at()) : ask(stream.method, at())).finally(() => pending.delete(one));
      pending.add(one);
    }
  }
}, 1);
const telling = setInterval(tell, 1_000);
for await (const _ of createInterface({ input: process.stdin }));
clearInterval(pace);
clearInterval(telling);
await Promise.all(pending);
agent.destroy();
const ms = (nanoseconds: number): number => Math.round(nanoseconds / 1e5) / 10;
const load: Load = { samples, lag: { p99Ms: ms(lag.percentile(99)), maxMs: ms(lag.max) } };
console.log(JSON.stringify(load));

/** Ms from the beginning, of the request after so many others. */
function momentOf(sent: number, rate: number): number {
  const warm = (rate * warmingMs) / 2_000;
  return sent < warm ? warmingMs * Math.sqrt(sent / warm) : warmingMs + ((sent - warm) * 1_000) / rate;
}

function ask(method: Sample['method'], at: number): Promise<void> {
  return new Promise((resolve) => {
    let answered = false;
    const done = (ok: boolean, site: string, error: string) => {
      clearTimeout(timer);
      samples.push({ method, at, tookMs: now() - at, ok, site, error });
      resolve();
    };
    const asked = request(target, { method, agent }, (response) => {
      answered = true;
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('close', () => {
        const ok = response.complete && response.statusCode === 200;
        done(ok, ok ? body : '', ok ? '' : `${response.statusCode}: ${body.slice(0, 120)}${response.complete ? '' : ', broken off'}`);
      });
      response.on('error', () => undefined);
    });
    const timer = setTimeout(() => asked.destroy(new Error(`no answer in ${timeoutMs} ms`)), at + timeoutMs - now());
    asked.on('error', (error) => {
      if (!answered) done(false, '', error.message);
    });
    asked.end(method === 'POST' ? 'order' : undefined);
  });
}

function dial(at: number): Promise<void> {
  return new Promise((resolve) => {
    let body = '';
    let error = '';
    const socket = connect(Number(target.port), target.hostname);
    const timer = setTimeout(() => socket.destroy(new Error(`no answer in ${timeoutMs} ms`)), at + timeoutMs - now());
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      body += chunk;
    });
    socket.on('error', (problem) => {
      error = problem.message;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      const ok = error === '' && body !== '';
      samples.push({ method: 'GET', at, tookMs: now() - at, ok, site: ok ? body : '', error: ok ? '' : error || 'closed without a word' });
      resolve();
    });
  });
}
