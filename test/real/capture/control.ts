import type { TestContext } from 'node:test';
import { AgentPlane } from '../../support/agent-plane.ts';
import type { CaptureScene } from './scene.ts';

// A control plane on the machine of the agents, which serves `orders` and hands out tokens.
const ends: (() => unknown)[] = [];
const context = { after: (end: () => unknown) => void ends.push(end) } as unknown as TestContext;
const { servicePort, inboundPort } = JSON.parse(process.argv[2] ?? '') as CaptureScene;
const plane = await AgentPlane.start(context);
plane.serve([{ name: 'orders', port: servicePort, endpoints: [inboundPort] }]);
process.send?.({ orders: await plane.token('orders'), web: await plane.token('web') });

process.once('disconnect', async () => {
  for (const end of ends.reverse()) await end();
  process.exit(0);
});
