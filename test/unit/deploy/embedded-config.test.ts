import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { parseConfig } from '../../../control/config/index.ts';
import { type Manifest, readManifests, readRepositoryFile, repositoryRoot } from '../../support/deploy-files.ts';
import { readBlocks } from '../../support/docs-blocks.ts';

/** Every isthmus.yaml that something to be copied holds, by where it stands. Objects without a Mesh beside them are parts of one. */
async function embedded(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const manifests = await readManifests('deploy/kubernetes/control.yaml');
  for (const { kind, metadata, data } of manifests as Manifest[]) {
    for (const [name, text] of Object.entries(data ?? {}))
      found.set(`deploy/kubernetes/control.yaml ${kind} ${metadata.name} ${name}`, text);
  }
  const nomad = (await readRepositoryFile('deploy/nomad/control.nomad.hcl')).match(/<<YAML\n([\s\S]*?)\nYAML\n/)?.[1] ?? '';
  const filled = nomad.replace(/\$\{var\.advertise\}/, 'east.example.com:15012').replace(/\$\{jsonencode\(.*\)\}/, '["10.0.0.0/8"]');
  found.set('deploy/nomad/control.nomad.hcl', filled);
  const compose = parse(await readRepositoryFile('docker-compose.yml'), { merge: true }) as {
    configs: Record<string, { content: string }>;
  };
  for (const cluster of ['east', 'west']) found.set(`docker-compose.yml ${cluster}`, compose.configs[cluster]?.content ?? '');
  const pages = (await readdir(`${repositoryRoot}docs`)).filter((name) => name.endsWith('.md'));
  for (const page of ['README.md', ...pages.map((name) => `docs/${name}`)]) {
    const blocks = (await readBlocks(page, 'yaml')).filter((text) => text.includes('isthmus.dev/v1alpha1'));
    for (const [i, text] of blocks.entries()) found.set(`${page} yaml ${i + 1}`, text);
  }
  return found;
}

const mesh =
  'apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: m}\nspec: {cluster: m, trustDomain: mesh.example.com, stateDir: /state}\n';

test('every configuration in deploy/ and docs/ is one that the product takes', async () => {
  const all = await embedded();
  assert.ok(all.size >= 4, [...all.keys()].join());
  for (const [where, text] of all) {
    const kinds = parseAllDocuments(text).map((d) => (d.toJS() as { kind: string }).kind);
    const whole = kinds.includes('Mesh') ? text : `${mesh}---\n${text}`;
    const parsed = parseConfig([{ file: '/etc/isthmus/isthmus.yaml', text: whole }]);
    assert.ok(parsed.ok, `${where}: ${JSON.stringify(parsed)}`);
    assert.ok(parsed.value.objects.length >= kinds.length, where);
  }
});

test('what the manifests name of a container is there: ports of probes, volumes, the folder of the state', async () => {
  for (const path of ['deploy/kubernetes/control.yaml', 'deploy/kubernetes/gateway.yaml']) {
    for (const { spec } of await readManifests(path)) {
      const pod = spec?.template?.spec;
      for (const container of [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]) {
        for (const probe of [container.readinessProbe, container.livenessProbe]) {
          if (probe !== undefined)
            assert.ok(
              container.ports?.some((p) => p.name === probe.httpGet.port),
              `${path}: ${probe.httpGet.port}`,
            );
        }
        assert.match(container.image, /^isthmus:\d/);
      }
    }
  }
});
