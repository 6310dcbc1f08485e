import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP relay that can cut connections, also in the middle of a message, and go silent with the connections standing. */
export class TcpRelay {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  target: number;
  /** Connections taken so far. */
  accepted = 0;
  #cutAfter = Number.POSITIVE_INFINITY;
  #silent = false;

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer((near) => this.#relay(near));
  }

  static async start(target: number): Promise<TcpRelay> {
    const relay = new TcpRelay(target);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next connections are cut after that many bytes from the far side. */
  cutAfter(bytes: number): void {
    this.#cutAfter = bytes;
  }

  /** Resets every connection that stands. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** Half-open: whatever comes, on connections that stand and on new ones, is swallowed. */
  goSilent(silent: boolean): void {
    this.#silent = silent;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #relay(near: Socket): void {
    this.accepted += 1;
    const far = connect(this.target, '127.0.0.1');
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    let budget = this.#cutAfter;
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (data) => void (this.#silent || far.write(data)));
    far.on('data', (data) => {
      if (this.#silent) return;
      near.write(data.subarray(0, budget), () => {
        if (data.length > budget) near.resetAndDestroy();
      });
      budget -= Math.min(budget, data.length);
    });
  }
}
