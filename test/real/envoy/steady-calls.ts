import { request } from 'node:http';
import type { TestContext } from 'node:test';
import { onEnd } from '../../support/on-end.ts';

/** Requests one after the other, each on a connection of its own, until it is stopped. */
export class SteadyCalls {
  /** By application, how many it has answered. */
  readonly answers = new Map<string, number>();
  readonly failures: string[] = [];
  readonly #port: number;
  readonly #running: Promise<void>;
  #stopped = false;

  constructor(t: TestContext, port: number) {
    this.#port = port;
    this.#running = this.#run();
    onEnd(t, () => this.stop());
  }

  get total(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const app = await this.#call();
        this.answers.set(app, (this.answers.get(app) ?? 0) + 1);
      } catch (error) {
        this.failures.push(`after ${this.total}: ${String(error)}`);
      }
    }
  }

  #call(): Promise<string> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: this.#port, agent: false }, (answer) => {
        answer.setEncoding('utf8');
        answer.toArray().then((parts) => {
          const text = parts.join('');
          if (answer.statusCode === 200) resolve((JSON.parse(text) as { app: string }).app);
          else reject(new Error(`${answer.statusCode} ${text}`));
        }, reject);
      });
      asked.once('error', reject).end();
    });
  }
}
