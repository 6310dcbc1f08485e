import { setTimeout as delay } from 'node:timers/promises';
import type { HttpRequest } from '../servers/http-request.ts';
import type { Reach } from '../servers/index.ts';
import type { EchoBody } from './app.ts';

export interface Sample {
  /** Monotonic ms when it was sent. */
  readonly at: number;
  readonly ok: boolean;
  /** Who answered; empty when it failed. */
  readonly app: string;
  readonly error: string;
}

/** Idempotent requests at a fixed pace, whether or not earlier ones were answered. */
export class SteadyLoad {
  readonly samples: Sample[] = [];
  readonly #reach: Reach;
  readonly #request: HttpRequest;
  readonly #everyMs: number;
  readonly #stop = new AbortController();
  readonly #pending = new Set<Promise<void>>();
  readonly #loop: Promise<void>;

  constructor(reach: Reach, request: HttpRequest, everyMs = 25) {
    this.#reach = reach;
    this.#request = request;
    this.#everyMs = everyMs;
    this.#loop = this.#run();
  }

  get failed(): readonly Sample[] {
    return this.samples.filter((s) => !s.ok);
  }

  /** When `app` last answered a request sent after `since`; undefined: it did not. */
  lastAnswerOf(app: string, since: number): number | undefined {
    return this.samples.filter((s) => s.app === app && s.at >= since).at(-1)?.at;
  }

  /** Who answered requests sent after `since`. */
  answered(since: number): Set<string> {
    return new Set(this.samples.filter((s) => s.ok && s.at >= since).map((s) => s.app));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await Promise.all(this.#pending);
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const sent = this.#send().finally(() => this.#pending.delete(sent));
      this.#pending.add(sent);
      await delay(this.#everyMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #send(): Promise<void> {
    const at = performance.now();
    try {
      const { status, body } = await this.#reach.request(this.#request);
      const ok = status === 200;
      this.samples.push({ at, ok, app: ok ? (JSON.parse(body) as EchoBody).app : '', error: ok ? '' : `${status}: ${body.slice(0, 200)}` });
    } catch (error) {
      this.samples.push({ at, ok: false, app: '', error: error instanceof Error ? error.message : String(error) });
    }
  }
}
