import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { httpCall } from './differential/clients/http-call.ts';
import { envoyUpdates } from './differential/envoy-stats.ts';
import { type Path, startMixedMesh } from './differential/mixed-mesh.ts';
import { loopback } from './differential/place.ts';
import { endInReverse } from './servers/index.ts';

test('Envoy and our own proxies in one mesh: sidecars and gateways of either kind carry requests of either kind', {
  timeout: 240_000,
}, async (t) => {
  const { paths, proxies, http } = await startMixedMesh(loopback(endInReverse(t)));
  http.behave((request, response, app) => {
    const header = request.headers['x-forwarded-client-cert'];
    response.end(JSON.stringify({ app, principal: /(?:^|;)URI=([^;,]+)/.exec(String(header))?.[1] ?? '' }));
  });
  assert.equal(paths.length, 12 + 8 + 4);
  for (const path of paths) {
    const { app, principal } = path;
    await until(path.name, async () => {
      const seen = await ask(path);
      assert.deepEqual(seen, { status: 200, app, principal });
      return true;
    });
  }
  // And again, all at once, now that everything has settled.
  const seen = await Promise.all(paths.map(ask));
  assert.deepEqual(
    seen,
    paths.map(({ app, principal }) => ({ status: 200, app, principal })),
  );
  for (const proxy of proxies.filter(({ kind }) => kind === 'envoy')) {
    const { rejected, accepted } = await envoyUpdates(proxy);
    assert.ok(accepted > 0, `${proxy.name} has taken no update`);
    assert.deepEqual(
      Object.values(rejected).filter((count) => count > 0),
      [],
      `${proxy.name} refused what it was told`,
    );
  }
});

async function ask({ address, port }: Path): Promise<{ status: number; app: string; principal: string }> {
  const { status, body } = await httpCall({ address, port });
  return { status, ...(status === 200 ? (JSON.parse(body) as { app: string; principal: string }) : { app: body, principal: '' }) };
}
