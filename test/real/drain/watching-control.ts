import type { TestContext } from 'node:test';
import { AddressBook, type DrainMemory, judgeDrain, type OldPlace, socketTargets } from '../../../control/migrate/drain/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { native } from '../../../core/xds/index.ts';
import { AgentPlane } from '../../support/agent-plane.ts';
import { serviceOf, viewOf } from '../../support/catalog-view.ts';
import type { ControlSays, DrainScene } from './scene.ts';

// A control plane on the machine of the agents, which watches the places of a service that drains; what it comes to it tells its parent.
const ends: (() => unknown)[] = [];
const context = { after: (end: () => unknown) => void ends.push(end) } as unknown as TestContext;
const scene = JSON.parse(process.argv[2] ?? '') as DrainScene;
const plane = await AgentPlane.start(context);
plane.serve([{ name: 'orders', port: 8080, protocol: native.Protocol.TCP, endpoints: [scene.inboundPort] }]);

const { sockets } = plane.plane;
const network = 'net-a';
const registered: OldPlace = { cluster: 'east', instance: 'vm/orders', network, address: scene.address, port: scene.appPort };
const behindAgent = { namespace: 'shop', name: 'orders' };
const own: OldPlace = { ...registered, instance: 'shop~orders~vm-orders', port: scene.inboundPort, behindAgent };
const places = [registered, own];
const book = new AddressBook(viewOf([serviceOf('batch', [{ instance: 'batch-1', network, address: scene.callerAddress }])]));

const say = (said: ControlSays) => void process.send?.(said);
say({ kind: 'tokens', orders: await token('orders'), web: await token('web') });
sockets.setTargets(socketTargets(places));
let memory: DrainMemory = new Map();
const looking = setInterval(() => {
  const { clock, bakeMs } = { clock: systemClock, bakeMs: scene.bakeMs };
  const judged = judgeDrain({
    places,
    sightings: sockets.sightings(),
    book,
    memory,
    bakeMs,
    monotonic: clock.monotonic(),
    now: clock.now(),
  });
  memory = judged.memory;
  say({ kind: 'drain', endpoints: judged.endpoints });
}, 100);

process.once('disconnect', async () => {
  clearInterval(looking);
  for (const end of ends.reverse()) await end();
  process.exit(0);
});

function token(serviceAccount: string): Promise<string> {
  const services = [{ namespace: 'shop', name: serviceAccount, ports: [] }];
  return plane.plane.token({ serviceAccount, services, addresses: [`${scene.address}/32`] });
}
