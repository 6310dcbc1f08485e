import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ObjectItem, PeerList, Status } from '../../core/admin/index.ts';
import { temporaryDir } from './control-plane.ts';
import { deadPort } from './mesh-sockets.ts';
import { json } from './object-scene.ts';
import { onEnd } from './on-end.ts';
import { RealControl } from './real-control.ts';
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

export async function connected(control: RealControl): Promise<void> {
  await until(
    `${control.cluster} is connected`,
    async () => {
      const { peers } = json<PeerList>(await control.cli('peer', 'list', '--output', 'json'));
      return peers.length > 0 && peers.every((p) => p.state === 'connected');
    },
    60_000,
  );
}

/** `CLUSTER/SOURCE NAME`, marked with `!` where it is not in force. */
async function objectsOf(control: RealControl): Promise<string[]> {
  const { objects } = json<{ objects: ObjectItem[] }>(await control.cli('get', '--output', 'json'));
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
