import { grpcCases } from './cases/grpc.ts';
import { httpBodies } from './cases/http-bodies.ts';
import { httpMessages } from './cases/http-messages.ts';
import { httpRefusals } from './cases/http-refusals.ts';
import { http2Cases } from './cases/http2.ts';
import { playPolicy } from './cases/policy.ts';
import { playSelection } from './cases/selection.ts';
import { tcpCases } from './cases/tcp.ts';
import { webSocket } from './cases/web-socket.ts';
import type { Mesh, Way } from './mesh.ts';
import { type Case, type Outcome, outcomeOf } from './outcome.ts';

export type Outcomes = Readonly<Record<string, Outcome>>;

const ways: readonly Way[] = ['sidecars', 'gateways'];
const http = [...httpMessages, ...httpRefusals, ...httpBodies, ...webSocket];

/** Every case on every way that carries its protocol, one after the other; by `WAY: CASE`. */
export async function play(mesh: Mesh): Promise<Outcomes> {
  const { apps, port } = mesh;
  // First, while no endpoint has failed: later ones may be held back for what the cases made them do.
  const outcomes: Record<string, Outcome> = { ...(await playSelection(mesh)), ...(await playPolicy(mesh)) };
  const run = async <B>(way: Way, cases: readonly Case<B>[], at: number, backend: B) => {
    for (const each of cases) outcomes[`${way}: ${each.name}`] = await outcomeOf(each, { port: at, backend });
  };
  for (const way of ways) {
    await run(way, http, port(way, 'web'), apps.http);
    await run(way, tcpCases, port(way, 'wire'), apps.tcp);
    await run(way, grpcCases, port(way, 'rpc'), apps.grpc);
  }
  await run('gateways', http2Cases, port('gateways', 'h2'), apps.http2);
  return outcomes;
}
