import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { temporaryDir } from '../support/control-plane.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { type ProxyName, proxyNames } from './routing-fields/bed.ts';
import type { FieldCase } from './routing-fields/case.ts';
import { type ServerCertificate, writeCertificates } from './routing-fields/certificates.ts';
import { IngressBed } from './routing-fields/ingress-bed.ts';
import { ingressCases } from './routing-fields/ingress-cases/index.ts';
import { knownDifferences } from './routing-fields/known-differences.ts';
import { trafficObjects } from './routing-fields/objects.ts';
import { play, type Stage } from './routing-fields/play.ts';
import { entryServices, startBackends } from './routing-fields/stages.ts';

interface Scene {
  readonly each: FieldCase;
  readonly proxy: ProxyName;
  readonly namespace: string;
}

/** Envoy takes all addresses of a port, so that each proxy has ports, Gateways and a namespace of its own for the same case. */
async function startScene(t: TestContext, { each, proxy, namespace }: Scene, folder: string, bed: IngressBed, server: ServerCertificate) {
  const { backends, services } = await startBackends(t, namespace, each, { pki: bed.pki, server });
  const gates = new Map<string, number>();
  for (const [, gate = ''] of each.config.matchAll(/\$GATE\((\w+)\)/g)) if (!gates.has(gate)) gates.set(gate, await deadPort());
  const text = each.config
    .replaceAll('$NS', namespace)
    .replaceAll('$PROXY', proxy)
    .replaceAll('$CERTS', folder)
    .replaceAll(/\$GATE\((\w+)\)/g, (_, gate: string) => String(gates.get(gate)));
  const objects = trafficObjects(each.name, text, namespace);
  const stage: Stage = { ports: gates, backends, certificates: folder, since: performance.now(), join: async () => undefined };
  return { stage, objects, services: [...services(new Set()), ...entryServices(objects)] };
}

test('every field of ingress does the same in our proxy and in Envoy', { timeout: 300_000, concurrency: 4 }, async (t) => {
  const bed = new IngressBed(t);
  const folder = await temporaryDir(t);
  const server = await writeCertificates(bed.pki, folder);
  const wanted = ingressCases.flatMap((each, i) => proxyNames.map((proxy) => ({ each, proxy, namespace: `case-${i + 1}-${proxy}` })));
  const scenes = await Promise.all(wanted.map(async (scene) => ({ ...scene, ...(await startScene(t, scene, folder, bed, server)) })));
  await bed.start(
    scenes.flatMap(({ services }) => services),
    scenes.flatMap(({ objects }) => objects),
    // Of a gate called so a case expects that it is nobody's.
    scenes.flatMap(({ stage }) => [...stage.ports].flatMap(([gate, port]) => (gate === 'closed' ? [] : [port]))),
  );
  assert.deepEqual(await bed.refused(), []);
  const plays = scenes.map(({ each, proxy, stage }) =>
    t.test(`${each.name} (${proxy})`, async () => {
      const wrong = await play(each, stage);
      const known = knownDifferences.find((d) => d.case === each.name && d.proxy === proxy);
      if (known === undefined) assert.deepEqual(wrong, [], `${proxy} does otherwise`);
      else assert.notDeepEqual(wrong, [], `${proxy} differs no longer: take it from the list`);
    }),
  );
  await Promise.all(plays);
  assert.deepEqual(await bed.refused(), []);
});
