import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { temporaryDir } from '../support/control-plane.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import { Bed, type ProxyName, proxyNames } from './routing-fields/bed.ts';
import { callerNamespaces, casesFor } from './routing-fields/caller-cases.ts';
import type { FieldCase } from './routing-fields/case.ts';
import { fieldCases } from './routing-fields/cases/index.ts';
import { writeCertificates } from './routing-fields/certificates.ts';
import { fieldsIn, supportedFields } from './routing-fields/coverage.ts';
import { gaps } from './routing-fields/gaps.ts';
import { ingressCases } from './routing-fields/ingress-cases/index.ts';
import { knownDifferences } from './routing-fields/known-differences.ts';
import { trafficObjects } from './routing-fields/objects.ts';
import { play, type Stage } from './routing-fields/play.ts';
import { sampleServices } from './routing-fields/samples.ts';
import { entryServices, startBackends } from './routing-fields/stages.ts';

/** A proxy's way to the backends of a case. */
type Stages = ReadonlyMap<FieldCase, (proxy: ProxyName) => Stage>;

async function startAll(t: TestContext, bed: Bed, cases = fieldCases): Promise<Stages> {
  const folder = await temporaryDir(t);
  const certificates = { pki: bed.pki, server: await writeCertificates(bed.pki, folder) };
  const scenes = await Promise.all(
    cases.map(async (each, i) => {
      const namespace = `case-${i + 1}`;
      const started = await startBackends(t, namespace, each, certificates);
      const text = each.config
        .replaceAll('$NS', namespace)
        .replaceAll('$CERTS', folder)
        .replaceAll(/\$PORT\((\w+)\)/g, (_, instance: string) => String(started.backends.get(instance)?.port));
      const objects = trafficObjects(each.name, text, namespace);
      const entries = entryServices(objects);
      return {
        each,
        objects,
        backends: started.backends,
        services: (joined: ReadonlySet<string>) => [...started.services(joined), ...entries],
      };
    }),
  );
  await bed.start(
    scenes.flatMap(({ services }) => services(new Set())),
    scenes.flatMap(({ objects }) => objects),
  );
  const since = performance.now();
  return new Map(
    scenes.map(({ each, services, backends }) => [
      each,
      (proxy) => ({
        backends,
        certificates: folder,
        since,
        join: (joined) => bed.change(services(joined)),
        ports: new Map(
          services(new Set()).flatMap(({ namespace, name, ports }) =>
            ports.map(({ port }) => [`${name}:${port}`, bed.port(`${namespace}/${name}`, port, proxy)] as const),
          ),
        ),
      }),
    ]),
  );
}

test('every field does the same in our proxy and in Envoy', { timeout: 600_000, concurrency: 4 }, async (t) => {
  const bed = new Bed(t);
  const stages = await startAll(t, bed);
  assert.deepEqual(await bed.refused(), []);
  const plays = [...stages].map(([each, stageOf]) =>
    t.test(each.name, async () => {
      for (const proxy of proxyNames) {
        const wrong = await play(each, stageOf(proxy));
        const known = knownDifferences.find((d) => d.case === each.name && d.proxy === proxy);
        if (known === undefined) assert.deepEqual(wrong, [], `${proxy} does otherwise`);
        else assert.notDeepEqual(wrong, [], `${proxy} differs no longer: take it from the list`);
      }
    }),
  );
  await Promise.all(plays);
  assert.deepEqual(await bed.refused(), []);
});

test('a DestinationRule is for those who look where it is, in our proxy and in Envoy', { timeout: 120_000 }, async (t) => {
  for (const namespace of callerNamespaces) {
    const bed = new Bed(t, namespace);
    for (const [each, stageOf] of await startAll(t, bed, casesFor(namespace))) {
      for (const proxy of proxyNames) assert.deepEqual(await play(each, stageOf(proxy)), [], `${each.name}, ${proxy} of ${namespace}`);
    }
    assert.deepEqual(await bed.refused(), []);
  }
});

test('what is known to differ is a case, and so is every case one of its own', () => {
  const names = [...fieldCases, ...ingressCases].map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(
    knownDifferences.map((d) => d.case).filter((name) => !names.includes(name)),
    [],
  );
});

test('every supported field is in a case, or listed with why it is in none', () => {
  const played = new Set([...fieldCases, ...ingressCases].flatMap(({ config }) => [...fieldsIn(config)]));
  const listed = gaps.flatMap(({ fields }) => fields);
  const supported = [...supportedFields()];
  assert.ok(supported.length > 150);
  assert.deepEqual(supported.filter((field) => !played.has(field)).sort(), [...listed].sort());
});

test('the samples of the kinds apply as they are, in our proxy and in Envoy', { timeout: 120_000 }, async (t) => {
  const folder = join(repositoryRoot, 'test/samples/istio');
  const files = (await readdir(folder)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  const read = files.map((file, i) => trafficObjects(file, texts[i] ?? '', 'default'));
  const bed = new Bed(t);
  await bed.start(sampleServices, []);
  for (const [i, objects] of read.entries()) {
    bed.set(sampleServices, objects);
    await bed.settled();
    assert.deepEqual(await bed.refused(), [], files[i]);
  }
});
