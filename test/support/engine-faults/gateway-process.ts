import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { GatewayOptionsInput } from '../../../gateway/main.ts';
import { allowAddressSpace, allowDescriptors, descriptorsOf } from './process-limits.ts';

/** A line of its log, or where it listens for other networks. */
export interface FromGateway {
  readonly line?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly port?: number;
}

const program = fileURLToPath(new URL('./gateway-child.js', import.meta.url));

/** A gateway in a process of its own, with its log. It ends with its parent. */
export class GatewayProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly lines: FromGateway[] = [];
  #port = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, 'exit');
    child.on('message', (message) => {
      const { port, ...line } = message as FromGateway;
      if (port === undefined) this.lines.push(line);
      else this.#port = port;
    });
  }

  static start(input: Partial<GatewayOptionsInput>): GatewayProcess {
    const child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.send(input);
    return new GatewayProcess(child);
  }

  /** Where other networks come in; 0: not yet. */
  get port(): number {
    return this.#port;
  }

  descriptors(): Promise<number> {
    return descriptorsOf(this.#child.pid ?? 0);
  }

  /** Bytes. */
  allowAddressSpace(more: number): Promise<void> {
    return allowAddressSpace(this.#child.pid ?? 0, more);
  }

  allowDescriptors(most: number): Promise<void> {
    return allowDescriptors(this.#child.pid ?? 0, most);
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited;
  }
}
