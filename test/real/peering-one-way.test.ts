import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { type ControlHost, startControl } from './scenario/isthmus-process.ts';
import { createNetwork, endInReverse, type Host, type Network } from './servers/index.ts';

const trustDomain = 'one-way.test';

function config(cluster: string, host: Host, root: boolean): string {
  return `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: ${cluster}}
spec:
  cluster: ${cluster}
  trustDomain: ${trustDomain}
  stateDir: "{state}"
  grpc: {listen: "0.0.0.0:15012", advertise: ["${host.address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
${root ? '  identity: {rootDir: "{root}"}\n' : ''}`;
}

interface Pair {
  readonly network: Network;
  readonly east: ControlHost;
  readonly west: ControlHost;
}

/** Two control planes that have not met; nobody can dial into `closed` from outside. */
async function pair(ending: (end: () => Promise<unknown>) => void, closed: 'east' | 'west'): Promise<Pair> {
  const network = await createNetwork({ sites: { east: ['control'], west: ['control'] } });
  ending(() => network.remove());
  await network.blockInbound(closed);
  const [eastHost, westHost] = [network.host('east', 'control'), network.host('west', 'control')];
  const east = await startControl(eastHost, config('east', eastHost, true), trustDomain);
  ending(() => east.process.stop());
  const west = await startControl(westHost, config('west', westHost, false), undefined);
  ending(() => west.process.stop());
  return { network, east, west };
}

async function connected({ east, west }: Pair): Promise<void> {
  await until(
    'both see each other connected',
    async () => {
      const statuses = await Promise.all([east.status(), west.status()]);
      return statuses.every((s) => s.peers.length === 1 && s.peers.every((p) => p.state === 'connected'));
    },
    60_000,
  );
}

test('nobody can dial the inviter: it dials the joiner, which still has to bring the token', { timeout: 180_000 }, async (t) => {
  const sites = await pair(endInReverse(t), 'east');
  const { east, west, network } = sites;
  const token = await east.run('peer', 'invite', '--dial', `${network.host('west', 'control').address}:15012`);
  const { peers } = await west.status();
  assert.deepEqual(peers, [], 'an inviter that dials is nobody before the token was entered');
  await west.run('peer', 'join', token);
  await connected(sites);
  await west.process.kill9();
  await west.process.restart();
  await connected(sites);
});

test('nobody can dial the joiner: its own connection carries both directions, also after a cut', { timeout: 180_000 }, async (t) => {
  const sites = await pair(endInReverse(t), 'west');
  const { east, west, network } = sites;
  await west.run('peer', 'join', await east.run('peer', 'invite'));
  await connected(sites);
  await network.cut('east', 'west');
  await until(
    'both notice a cut that nobody told them of',
    async () => {
      const statuses = await Promise.all([east.status(), west.status()]);
      return statuses.every((s) => s.peers.every((p) => p.state !== 'connected'));
    },
    60_000,
  );
  await network.heal('east', 'west');
  await connected(sites);
});
