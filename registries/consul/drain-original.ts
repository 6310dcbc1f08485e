import { isIPv6 } from 'node:net';
import type { ConsulConnection } from '../../core/config/index.ts';
import { toMeshError } from '../../core/errors.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { ConsulClient } from './client.ts';
import { takeoverCheck } from './native-marks.ts';
import type { Original } from './native-plan.ts';
import { ConsulWriteClient } from './write-client.ts';

/**
 * Takes instances out of their name and puts them back: where a node has an agent by that agent's maintenance mode, as the agent would undo
 * anything else, and otherwise by a failing check in the catalog. Made for one round; `close` it.
 */
export class OriginalDrainer {
  readonly #connection: ConsulConnection;
  readonly #timeoutMs: number;
  readonly #reader: ConsulClient;
  readonly #catalog: ConsulWriteClient;
  readonly #agents = new Map<string, ConsulWriteClient>();
  #ownNode: string | undefined;

  constructor(connection: ConsulConnection, timeoutMs: number, reader: ConsulClient, catalog: ConsulWriteClient) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#reader = reader;
    this.#catalog = catalog;
  }

  /** Why it could not be done, with what to do; undefined: it is done. Rejects only with MeshError ABORTED. */
  async drain(original: Original, notes: string, signal: AbortSignal): Promise<string | undefined> {
    return this.#try(original, signal, async () => {
      const { node, nodeAddress, id } = original;
      if (original.agent === 'none') {
        await this.#catalog.failCheck(node, nodeAddress, { id: takeoverCheck(id), service: id, notes }, signal);
      } else await (await this.#agentOf(original, signal)).maintain(id, true, notes, signal);
    });
  }

  /** The same, for what was drained by us. */
  async restore(original: Original, signal: AbortSignal): Promise<string | undefined> {
    return this.#try(original, signal, async () => {
      if (original.checkId !== undefined) await this.#catalog.removeCheck(original.node, original.checkId, signal);
      else await (await this.#agentOf(original, signal)).maintain(original.id, false, '', signal);
    });
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.close();
  }

  async #agentOf({ node, nodeAddress }: Original, signal: AbortSignal): Promise<ConsulWriteClient> {
    this.#ownNode ??= await this.#reader.readOwnNode(signal).catch((error: unknown) => {
      if (isAborted(error)) throw error;
      // Without the right to ask, every node is gone to by its address.
      return '';
    });
    const url = node === this.#ownNode ? this.#connection.url : agentUrl(this.#connection.url, nodeAddress);
    const known = this.#agents.get(url);
    if (known !== undefined) return known;
    const opened = await ConsulWriteClient.open({ ...this.#connection, url }, this.#timeoutMs);
    this.#agents.set(url, opened);
    return opened;
  }

  async #try({ node, id, agent }: Original, signal: AbortSignal, run: () => Promise<void>): Promise<string | undefined> {
    try {
      await run();
      return undefined;
    } catch (error) {
      if (isAborted(error) || signal.aborted) throw error;
      const advice =
        agent === 'none'
          ? 'give the token write on that node and service'
          : `its agent must take calls of the control plane, and the token write on the service`;
      return `${id} on node ${node}: ${toMeshError(error).message}; ${advice}`;
    }
  }
}

/** Another node's agent is taken to answer as the one of the connection does: same scheme and port. */
function agentUrl(connectionUrl: string, address: string): string {
  const url = new URL(connectionUrl);
  url.hostname = isIPv6(address) ? `[${address}]` : address;
  return url.toString().replace(/\/$/, '');
}
