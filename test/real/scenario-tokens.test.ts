import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CreatedJoinToken, Invite } from '../../core/admin/index.ts';
import { formatJoinToken, type JoinToken, parseJoinToken } from '../../core/identity/index.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { until } from '../support/until.ts';
import { type CliRun, type ControlHost, cli, logOf, runIsthmus, startControl } from './scenario/isthmus-process.ts';
import { createNetwork, endInReverse, type Host, type Network } from './servers/index.ts';
import { startServer } from './servers/server-process.ts';
import { makeWorkFolder, removeWorkFolder } from './servers/work-folder.ts';

const trustDomain = 'tokens.test';

const config = (cluster: string, host: Host, root: boolean) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: ${cluster}}
spec:
  cluster: ${cluster}
  trustDomain: ${trustDomain}
  stateDir: "{state}"
  grpc: {listen: "0.0.0.0:15012", advertise: ["${host.address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
${root ? '  identity: {rootDir: "{root}"}\n' : ''}`;

interface Sites {
  readonly network: Network;
  /** Holds the root; the others have none yet. */
  readonly east: ControlHost;
  readonly west: ControlHost;
  readonly north: ControlHost;
  /** Of the machines that join. */
  readonly states: string;
}

type Ending = (end: () => Promise<unknown>) => void;

async function start(ending: Ending): Promise<Sites> {
  const network = await createNetwork({
    sites: { east: ['control', 'vm-first', 'vm-second', 'gateway-first', 'gateway-second'], west: ['control'], north: ['control'] },
  });
  ending(() => network.remove());
  const states = await makeWorkFolder('joining');
  ending(() => removeWorkFolder(states));
  const control = async (site: string, root: string | undefined) => {
    const host = network.host(site, 'control');
    const started = await startControl(host, config(site, host, root !== undefined), root);
    ending(() => started.process.stop());
    return started;
  };
  const [east, west, north] = await Promise.all([control('east', trustDomain), control('west', undefined), control('north', undefined)]);
  return { network, east, west, north, states };
}

interface Joiner {
  readonly what: 'vm' | 'gateway';
  readonly makeToken: readonly string[];
  readonly command: (host: Host, token: string, tokenFile: string) => readonly string[];
}

const joiners: readonly Joiner[] = [
  {
    what: 'vm',
    makeToken: ['vm', 'token', 'shop/orders', '--port', '8080'],
    command: (host, token) => ['vm', 'join', token, '--service', 'shop/orders', '--port', '8080', '--address', host.address],
  },
  {
    what: 'gateway',
    makeToken: ['gateway', 'token'],
    command: (host, _token, tokenFile) => ['gateway', '--token-file', tokenFile, '--advertise', host.address],
  },
];

/** The command line of a machine that joins as `name`, with a state directory of its own. */
async function commandOf({ command }: Joiner, { states }: Sites, host: Host, token: string, name: string): Promise<readonly string[]> {
  const file = join(states, `${name}.token`);
  await writeFile(file, token, { mode: 0o600 });
  return [...command(host, token, file), '--instance', name, '--state-dir', join(states, name)];
}

/** The same token with something of it replaced, as who holds no key can write it. */
function forged(token: string, change: Partial<JoinToken>): string {
  const parsed = parseJoinToken(token);
  assert.ok(parsed.ok);
  return formatJoinToken({ ...parsed.value, ...change });
}

function forgedInvite(token: string, change: Readonly<Record<string, unknown>>): string {
  const body = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...body, ...change })).toString('base64url');
}

function assertRefused(run: CliRun, code: number, message: RegExp, token: string): void {
  assert.match(run.stderr, message);
  assert.equal(run.code, code, run.stderr);
  assert.doesNotMatch(run.stderr, /\n\s+at /, 'a stack trace is no message');
  assert.ok(!run.stderr.includes(token.slice(-40)), 'a token is a secret');
}

const newSecret = () => randomBytes(32).toString('base64url');
const past = (time: string) => until(`the time ${time}`, () => Date.now() > Date.parse(time));

/** The joiner is not told which it was; who runs the control plane reads it in its log. */
const unproven = /it may be expired, used, revoked or wrong/;
const logged = ({ process }: ControlHost, reason: RegExp) =>
  until(`${reason} in the log of the control plane`, async () => reason.test(await logOf(process)));

/** Bad tokens of every kind on one machine, and a good one on another, which then is not good for a third. */
async function refusals(sites: Sites, joiner: Joiner, ending: Ending): Promise<void> {
  const { east, network } = sites;
  const { what } = joiner;
  const machine = network.host('east', `${what}-second`);
  const tryJoin = async (token: string, label: string) =>
    runIsthmus(machine, await commandOf(joiner, sites, machine, token, `${what}-${label}`));
  const made = async (...limits: string[]) =>
    JSON.parse(await east.run(...joiner.makeToken, ...limits, '--output', 'json')) as CreatedJoinToken;
  const short = await made('--ttl', '1s');
  const { token, id } = await made();
  const damaged = /copy the whole line|is damaged/;
  assertRefused(await tryJoin('isthmus-join-v1.bm90LWpzb24', 'garbage'), 2, damaged, 'bm90LWpzb24');
  assertRefused(await tryJoin(token.slice(0, -30), 'cut'), 2, damaged, token);

  assertRefused(await tryJoin(forged(token, { secret: newSecret() }), 'guessed'), 4, unproven, token);
  await logged(east, new RegExp(`token ${id}: the secret is wrong`));
  assertRefused(await tryJoin(forged(token, { id: '0123456789abcdef' }), 'invented'), 4, unproven, token);
  await logged(east, /token 0123456789abcdef does not exist/);

  await past(short.expiresAt);
  assertRefused(await tryJoin(short.token, 'late'), 4, unproven, short.token);
  await logged(east, new RegExp(`token ${short.id} has expired`));

  const first = network.host('east', `${what}-first`);
  const folder = await makeWorkFolder(what);
  const joined = await startServer({
    name: what,
    command: process.execPath,
    args: [cli, ...(await commandOf(joiner, sites, first, token, `${what}-first`))],
    netns: first.netns,
    folder,
    ready: async (reach) => (await reach.request({ url: 'http://127.0.0.1:15021/healthz/ready' })).status === 200,
  });
  ending(() => joined.stop());
  assertRefused(await tryJoin(token, 'replay'), 4, unproven, token);
  await logged(east, new RegExp(`token ${id} was redeemed by another key already`));
  assert.ok(
    (await east.status()).clients.some((c) => c.instance === `${what}-first`),
    'who came first stays',
  );
}

async function peerRefusals({ east, west, north }: Sites): Promise<void> {
  const made = async (...limits: string[]) => JSON.parse(await east.run('peer', 'invite', ...limits, '--output', 'json')) as Invite;
  const otherRoot = Buffer.from(new MeshPki(trustDomain).root.certificate.der).toString('base64url');
  const { token } = await made();
  // Last: the next invitation sweeps what has expired, and then nobody knows that it was there.
  const short = await made('--ttl', '1s');
  const join = (text: string) => west.tryRun('peer', 'join', text);
  assertRefused(await join('not-what-peer-invite-prints'), 2, /was it cut/, 'not-what-peer-invite-prints');
  assertRefused(await join(token.slice(0, -30)), 2, /was it cut/, token);
  assertRefused(await join(forgedInvite(token, { s: newSecret() })), 4, /does not hold/, token);
  assertRefused(await join(forgedInvite(token, { id: '00000000-0000-4000-8000-000000000000' })), 4, /does not hold/, token);
  assertRefused(await join(forgedInvite(token, { r: otherRoot })), 4, /not the control plane that the invitation names/, token);
  await past(short.expiresAt);
  assertRefused(await join(short.token), 4, /has expired/, short.token);
  const prolonged = forgedInvite(short.token, { e: Date.now() + 600_000 });
  assertRefused(await join(prolonged), 4, /has expired/, prolonged);
  const statuses = await Promise.all([east.status(), west.status()]);
  assert.deepEqual(
    statuses.map((s) => s.peers),
    [[], []],
    'nobody is a peer by a token that does not hold',
  );

  await west.run('peer', 'join', token);
  assertRefused(await north.tryRun('peer', 'join', token), 4, /used already, by another joiner/, token);
  await until('the two peers that there are', async () => {
    const [peer, ...others] = (await east.status()).peers;
    return peer?.cluster === 'west' && peer.state === 'connected' && others.length === 0;
  });
}

test('expired, replayed and forged tokens are refused by the real processes, and nobody is harmed', { timeout: 240_000 }, async (t) => {
  const ending = endInReverse(t);
  const sites = await start(ending);
  for (const joiner of joiners) await t.test(`of a ${joiner.what}`, () => refusals(sites, joiner, ending));
  await t.test('of a peer', () => peerRefusals(sites));
});
