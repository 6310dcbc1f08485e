import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ObjectItem, PeerList, Status } from '../../core/admin/index.ts';
import { temporaryDir } from './control-plane.ts';
import { deadPort } from './mesh-sockets.ts';
import { json } from './object-scene.ts';
import { onEnd } from './on-end.ts';
import { RealControl } from './real-control.ts';
import { TcpRelay } from './tcp-relay.ts';
import { until } from './until.ts';

/** East, which holds the root, and west, joined as users join them; both run until the test ends. */
export async function joinedControls(t: TestContext): Promise<{ east: RealControl; west: RealControl }> {
  const dir = await temporaryDir(t);
  const grpc = async () => ({ grpc: { listen: `127.0.0.1:${await deadPort()}` } });
  const east = await RealControl.make(join(dir, 'east'), 'east', '', await grpc());
  const west = await RealControl.make(join(dir, 'west'), 'west', '', { ...(await grpc()), identity: {} });
  for (const control of [east, west]) {
    onEnd(t, () => control.stop());
    await control.start();
  }
  const invite = json<{ token: string }>(await east.cli('peer', 'invite', '--output', 'json'));
  json(await west.cli('peer', 'join', invite.token, '--output', 'json'));
  for (const control of [east, west]) await connected(control);
  return { east, west };
}

/**
 * East, west and north, each joined with each. West and north meet at `link` alone; east reaches both without it.
 * `more`: of north's configuration files.
 */
export async function threeControls(t: TestContext, more = ''): Promise<ThreeControls> {
  const dir = await temporaryDir(t);
  const [atEast, atWest, atNorth] = [await deadPort(), await deadPort(), await deadPort()];
  const link = await TcpRelay.start(atWest);
  onEnd(t, () => link.close());
  const grpc = (port: number, advertise: number) => ({ grpc: { listen: `127.0.0.1:${port}`, advertise: [`127.0.0.1:${advertise}`] } });
  const east = await RealControl.make(join(dir, 'east'), 'east', '', grpc(atEast, atEast));
  const west = await RealControl.make(join(dir, 'west'), 'west', '', { ...grpc(atWest, link.port), identity: {} });
  // Nobody answers where north says that it is: it dials.
  const north = await RealControl.make(join(dir, 'north'), 'north', more, { ...grpc(atNorth, await deadPort()), identity: {} });
  for (const control of [east, west, north]) {
    onEnd(t, () => control.stop());
    await control.start();
  }
  for (const [inviter, joiner] of [
    [east, west],
    [east, north],
    [west, north],
  ] as const) {
    const invite = json<{ token: string }>(await inviter.cli('peer', 'invite', '--output', 'json'));
    json(await joiner.cli('peer', 'join', invite.token, '--output', 'json'));
  }
  for (const control of [east, west, north]) await connected(control);
  return { east, west, north, link };
}

interface ThreeControls {
  readonly east: RealControl;
  readonly west: RealControl;
  readonly north: RealControl;
  readonly link: TcpRelay;
}

export async function connected(control: RealControl): Promise<void> {
  await until(
    `${control.cluster} is connected`,
    async () => {
      const { peers } = await control.get<PeerList>('/v1/peers');
      return peers.length > 0 && peers.every((p) => p.state === 'connected');
    },
    60_000,
  );
}

/** `CLUSTER/SOURCE NAME`, marked with `!` where it is not in force. */
async function objectsOf(control: RealControl): Promise<string[]> {
  const { objects } = await control.get<{ objects: ObjectItem[] }>('/v1/objects');
  return objects.map((o) => `${o.owner.cluster}/${o.owner.source} ${o.name}${o.inForce ? '' : '!'}`).sort();
}

export function holds(control: RealControl, expected: readonly string[]): Promise<unknown> {
  return until(
    `${control.cluster} holds ${expected.join()}`,
    async () => {
      assert.deepEqual(await objectsOf(control), [...expected].sort());
      return true;
    },
    60_000,
  );
}

export async function conflictsOf(control: RealControl): Promise<Status['conflicts']> {
  return json<Status>(await control.cli('status', '--output', 'json')).conflicts;
}
