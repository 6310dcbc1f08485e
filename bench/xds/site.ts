import type { Authority } from '../../control/ca/index.ts';
import type { BenchSize } from '../bench-mesh.ts';
import type { XdsControlUnderTest } from './contract.ts';
import { Fleet } from './fleet.ts';
import { startXdsControl } from './start-control.ts';

/** What changes cost on average. */
export interface ChangeCost {
  readonly changes: number;
  /** Of the control plane, µs. */
  readonly cpuUs: number;
  /** From the registry's word until the last subscriber has it, µs. */
  readonly latencyUs: number;
}

/** A control plane in a process of its own, and its clients in this one. */
export class XdsSite {
  readonly size: BenchSize;
  readonly control: XdsControlUnderTest;
  readonly fleet: Fleet;

  private constructor(size: BenchSize, control: XdsControlUnderTest, fleet: Fleet) {
    this.size = size;
    this.control = control;
    this.fleet = fleet;
  }

  /** `clients` in all, `subscribers` of them to each service; not connected yet. */
  static async start(authority: Authority, size: BenchSize, clients: number, subscribers: number): Promise<XdsSite> {
    const services = size.endpoints / size.perService;
    const fleet = new Fleet(authority, clients, (client) => subscriptionsOf(client, clients, services, subscribers));
    return new XdsSite(size, await startXdsControl(authority, size), fleet);
  }

  /** One change after the other: the next one when all subscribers have the one before, so that nothing is coalesced. */
  async change(atLeastMs: number, fewest: number): Promise<ChangeCost> {
    const before = await this.control.usage();
    const end = performance.now() + atLeastMs;
    let changes = 0;
    let waitedMs = 0;
    for (; changes < fewest || performance.now() < end; changes++) {
      const begun = performance.now();
      const heard = this.fleet.heardOf(this.#turn);
      await this.control.change();
      await heard;
      waitedMs += performance.now() - begun;
      this.#turn = (this.#turn + 1) % (this.size.endpoints / this.size.perService);
    }
    const after = await this.control.usage();
    return { changes, cpuUs: (after.cpuUs - before.cpuUs) / changes, latencyUs: (waitedMs * 1e3) / changes };
  }

  async stop(): Promise<void> {
    this.fleet.disconnect();
    await this.control.stop();
  }

  #turn = 0;
}

/** Spread evenly, `subscribers` different clients to each service. */
function subscriptionsOf(client: number, clients: number, services: number, subscribers: number): number[] {
  const chosen: number[] = [];
  for (let s = 0; s < services; s++) {
    const first = (s * subscribers) % clients;
    if ((client - first + clients) % clients < subscribers) chosen.push(s);
  }
  return chosen;
}
