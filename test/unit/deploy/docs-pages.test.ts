import assert from 'node:assert/strict';
import { access, readdir } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { readRepositoryFile, repositoryRoot } from '../../support/deploy-files.ts';
import { readFences } from '../../support/docs-blocks.ts';

/**
 * Who runs a page's commands. (Those of the README are `npm run demo`, which test/e2e runs, and the tests themselves. Of the
 * benchmarks, which take minutes, every command is parsed and one is run.)
 */
const runners: Readonly<Record<string, string>> = {
  'docs/apply-changes.md': 'test/integration/docs/traffic-pages.test.ts',
  'docs/authorization.md': 'test/integration/policy/authorization.test.ts',
  'docs/benchmarks.md': 'test/integration/bench/run-bench.test.ts',
  'docs/call-without-sidecar.md': 'test/real/scenario.test.ts',
  'docs/connect-consul.md': 'test/real/registries-docs.test.ts',
  'docs/connect-files.md': 'test/integration/docs/connect-files.test.ts',
  'docs/connect-kubernetes.md': 'test/real/registries-docs.test.ts',
  'docs/connect-nomad.md': 'test/real/registries-docs.test.ts',
  'docs/ingress.md': 'test/integration/docs/traffic-pages.test.ts',
  'docs/install.md': 'test/real/docs-install.test.ts',
  'docs/join-a-vm.md': 'test/integration/sidecar-vm/docs.test.ts',
  'docs/join-clusters.md': 'test/integration/peering/join-clusters-docs.test.ts',
  'docs/migrate-a-service.md': 'test/real/migration-docs.test.ts',
  'docs/move-to-mtls.md': 'test/integration/policy/peer-authentication.test.ts',
  'docs/packages.md': 'test/real/package.test.ts',
  'docs/proxyless-grpc.md': 'test/integration/sidecar-vm/grpc-support.test.ts',
  'docs/rotate-roots.md': 'test/integration/ca/rotate-clusters.test.ts',
  'docs/run-envoy.md': 'test/real/envoy-bootstrap.test.ts',
  'docs/traffic-telemetry.md': 'test/integration/docs/traffic-pages.test.ts',
};

async function pages(): Promise<string[]> {
  const names = (await readdir(join(repositoryRoot, 'docs'))).filter((name) => name.endsWith('.md'));
  return ['README.md', ...names.map((name) => `docs/${name}`)];
}

test('each page with commands has a test that runs them', async () => {
  for (const page of await pages()) {
    if (page === 'README.md' || !(await readFences(page)).some((fence) => fence.language === 'sh')) continue;
    const runner = runners[page];
    assert.ok(runner !== undefined, `nobody runs the commands of ${page}`);
    assert.ok((await readRepositoryFile(runner)).includes(page), `${runner} does not read ${page}`);
  }
});

/** As GitHub makes them of headings. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

test('each link of a page leads to a file that is there, and to a heading that it has', async () => {
  const broken: string[] = [];
  for (const page of [...(await pages()), 'ARCHITECTURE.md', 'CONTRIBUTING.md']) {
    const text = (await readRepositoryFile(page)).replace(/^```[\s\S]*?^```$/gm, '');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : normalize(join(dirname(page), path));
      const found = await access(join(repositoryRoot, file)).then(
        () => true,
        () => false,
      );
      if (!found) broken.push(`${page}: ${target}`);
      else if (anchor !== undefined) {
        const headings = [...(await readRepositoryFile(file)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
        if (!headings.includes(anchor)) broken.push(`${page}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});
