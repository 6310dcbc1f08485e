import { servicePorts } from '../apps.ts';
import { httpCall } from '../clients/http-call.ts';
import { rawCall } from '../clients/raw-call.ts';
import type { Mesh } from '../mesh.ts';
import type { Outcome } from '../outcome.ts';

/** Which backends are used, and what a caller gets where some or all of them are not there. */
export async function playSelection(mesh: Mesh): Promise<Readonly<Record<string, Outcome>>> {
  const { apps } = mesh;
  apps.http.behave((_request, response, backend) => void response.end(backend));
  apps.tcp.behave((socket) => void socket.pipe(socket));
  return {
    'several: who answers 40 requests': await whoAnswers(await mesh.originated('several', servicePorts.web), 40),
    'flaky: one of two endpoints refuses': await whoAnswers(await mesh.originated('flaky', servicePorts.web), 30),
    'flaky: byte streams': await echoes(await mesh.originated('flaky', servicePorts.wire), 30),
    'down: a request': await one(await mesh.originated('down', servicePorts.web)),
    'down: a byte stream': await echoes(await mesh.originated('down', servicePorts.wire), 1),
    'empty: a request': await one(await mesh.originated('empty', servicePorts.web)),
    'empty: a byte stream': await echoes(await mesh.originated('empty', servicePorts.wire), 1),
  };
}

async function whoAnswers(port: number, requests: number): Promise<Outcome> {
  const answers = new Set<string>();
  for (let i = 0; i < requests; i++) {
    const { status, body } = await httpCall({ port });
    answers.add(`${status} ${body}`);
  }
  return [...answers].sort();
}

async function one(port: number): Promise<Outcome> {
  const { status, body } = await httpCall({ port });
  return { status, body };
}

/** How many of `count` connections carried bytes both ways, and how the others ended. */
async function echoes(port: number, count: number): Promise<Outcome> {
  let right = 0;
  const others = new Set<string>();
  for (let i = 0; i < count; i++) {
    const { bytes, ended } = await rawCall({ port, send: 'echo', end: true });
    if (bytes.toString() === 'echo') right += 1;
    // Both sides end at once here, so that either news may come first.
    else others.add(`${bytes.length} bytes, ${ended === 'open' ? 'open' : 'closed'}`);
  }
  return { right, others: [...others].sort() };
}
