import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { originalDestination, socketFd } from '../../../core/os/index.ts';
import { destinationKey } from '../../../gateway/engine/capture-contract.ts';
import type { ConnectionReport, EngineLimits, PlainRule } from '../../../gateway/engine/contract.ts';
import { NodeEngine } from '../../../gateway/engine/node/node-engine.ts';
import { clusterName, EngineHarness, endpoint, type MakeEngine } from '../../contract/engine/harness.ts';
import { makeNative } from '../../contract/engine/make-native.ts';
import { until } from '../../support/until.ts';
import { capturePort, type Family, families } from './redirecting-network.ts';

/** Of the rule `outbound orders`. */
export const servicePort = 8_080;
export const orders = { [servicePort]: 'outbound orders' };

/** By name: `native`, or the one in TypeScript. */
export function engineOf(name: string): MakeEngine {
  return name === 'native' ? makeNative : (...args) => new NodeEngine(...args);
}

/** Whether it closes without an end of the other side's. */
export function broken(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => socket.resume().once('close', () => resolve(!socket.readableEnded)));
}

/** All of them, in order; else says how many came, and which is the first that is another. */
export function assertWhole(came: Buffer, sent: Uint8Array): void {
  if (came.equals(sent)) return;
  assert.fail(
    `${came.length} bytes came of ${sent.length}, and number ${came.findIndex((byte, at) => byte !== sent[at])} is the first that differs`,
  );
}

/** One engine with a listener to which callers of one family are led, whatever they call. */
export class CapturedScene {
  readonly harness: EngineHarness;
  readonly family: Family;
  /** Of `onForward`. */
  readonly begun: ConnectionReport[] = [];
  /** Of `onDial`. */
  readonly dialled: Socket[] = [];
  readonly #servers: Server[] = [];

  private constructor(make: MakeEngine, family: Family, limits: Partial<EngineLimits>) {
    this.family = family;
    this.harness = new EngineHarness(make, limits, undefined, {
      onForward: (report) => this.begun.push(report),
      onDial: (_, socket) => this.dialled.push(socket),
      originalDestination: (socket) => {
        const fd = socketFd(socket);
        return fd === undefined ? undefined : originalDestination(fd);
      },
    });
  }

  /** `address`: where it listens; default the loopback address of its family, IPv4. */
  static async open(
    make: MakeEngine,
    { family = families.ipv4, address = family.loopback, limits = {} }: Where = {},
  ): Promise<CapturedScene> {
    const scene = new CapturedScene(make, family, limits);
    await scene.harness.engine.listen({ name: 'capture', address, port: capturePort, kind: 'captured' });
    return scene;
  }

  /** What goes to these ports of the server, to the rules of these names; all of them lead to one cluster. */
  lead(ports: Readonly<Record<number, string>>, plain: Readonly<Record<string, Partial<PlainRule>>> = {}): void {
    const address = this.family.server;
    const byDestination = new Map(
      Object.entries(ports).map(([port, rule]) => [destinationKey({ address, port: Number(port) }), rule] as const),
    );
    const closed = ['198.19.0.0/16', '2001:db8:1::/48'];
    const rule = { clusterName, protocol: 'tcp' as const, allow: 'any' as const };
    const rules = Object.entries(plain).map(([name, more]) => [name, { ...rule, ...more }] as const);
    this.harness.apply({ captured: new Map([['capture', { byDestination, closed }]]), plain: new Map(rules) });
  }

  /** The one endpoint of that cluster. */
  async behind(onSocket: (socket: Socket) => void): Promise<void> {
    this.harness.endpoints(endpoint((await this.harness.sockets.serve(onSocket)).port));
  }

  /** At a port of the server itself. */
  async at(port: number, onSocket: (socket: Socket) => void): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => onSocket(this.harness.sockets.track(socket)));
    this.#servers.push(server);
    await once(server.listen(port, this.family.server), 'listening');
  }

  call(port = servicePort, host = this.family.server): Socket {
    return this.harness.sockets.track(connect({ port, host, localAddress: this.family.caller, allowHalfOpen: true }));
  }

  report(place: number): Promise<ConnectionReport> {
    return until(`report ${place}`, () => this.harness.reports[place]);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    await this.harness.close();
  }
}

interface Where {
  readonly family?: Family;
  readonly address?: string;
  readonly limits?: Partial<EngineLimits>;
}
