import type { AuthzRule, MtlsMode } from '../../../core/authz/index.ts';
import type { ConnectionReport, ExposedRule } from '../../../gateway/engine/index.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { clusterName, type EngineHarness, endpoint, authzRule as rule, sni } from './harness.ts';

export const name = 'exposed|127.0.0.1|8080';
export const end = { namespace: 'shop', service: 'orders' };

export const ofNobody: AuthzRule = rule({
  name: 'plaintext',
  when: {
    kind: 'all',
    of: [
      { kind: 'not', of: { kind: 'test', attribute: 'principal', names: [], patterns: ['*'] } },
      { kind: 'test', attribute: 'port', names: [], patterns: ['80'] },
    ],
  },
});
export const ofWest = rule({ name: 'cluster west', clusters: ['west'] });
export const usual = [ofWest, ofNobody];

/** A service's own port, where callers come with mesh and without. */
export class ExposedPort {
  readonly #harness: EngineHarness;

  constructor(harness: EngineHarness) {
    this.#harness = harness;
  }

  put(mode: MtlsMode, protocol: 'tcp' | 'http' = 'tcp', rules: readonly AuthzRule[] = usual, port = 80): void {
    const terminate = { mode: 'terminate' as const, clusterName, protocol, authz: { name: 'shop/orders', rules }, end };
    const exposed: ExposedRule = { end: terminate, port, mode };
    this.#harness.apply({ sni: new Map([[sni, terminate]]), exposed: new Map([[name, exposed]]) });
  }

  async listen(): Promise<number> {
    return (await this.#harness.engine.listen({ name, address: '127.0.0.1', port: 0, kind: 'exposed' })).port;
  }

  /** What is behind it says what it is told. */
  async echo(): Promise<void> {
    const { port } = await this.#harness.sockets.serve((socket) => socket.pipe(socket));
    this.#harness.endpoints(endpoint(port));
  }

  lastReport(count: number): Promise<ConnectionReport> {
    return until('report', () => this.#harness.reports[count - 1]);
  }

  /** Empty where it was refused. */
  async answerTo(port: number, bytes: Buffer): Promise<Buffer> {
    const client = await this.#harness.sockets.connect(port);
    client.end(bytes);
    return readAll(client).catch(() => Buffer.alloc(0));
  }

  async byMtls(port: number): Promise<string> {
    const { sockets, caller, bundle, target } = this.#harness;
    try {
      const client = await sockets.connectMtls(port, caller, bundle, target);
      client.end('ping');
      return (await readAll(client)).toString();
    } catch {
      return '';
    }
  }
}
