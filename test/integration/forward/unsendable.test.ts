import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { describe, test } from 'node:test';
import type { ClusterRef, HttpRule } from '../../../core/traffic/index.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { host, rules, startEcho, startSite, to } from './forward-site.ts';

/** What no parser lets through by now: an older control plane, or another one, may say it. */
const unsayable: Readonly<Record<string, Partial<HttpRule<ClusterRef>>>> = {
  'a rewritten path': { action: { ...to('a'), rewrite: { path: { type: 'full', value: '/a b' } } } },
  'a rewritten host': { action: { ...to('a'), rewrite: { authority: '中' } } },
  'a redirect': { action: { type: 'redirect', path: { type: 'full', value: '/中' }, status: 301 } },
  "a header of the upstream's answer": { action: to('a'), responseHeaders: { set: [['x-a', '中']], add: [], remove: [] } },
  'a header of our own answer': { action: { type: 'direct', status: 200 }, responseHeaders: { set: [['x-a', '中']], add: [], remove: [] } },
};

describe('a request that cannot be served ends alone', () => {
  for (const [what, rule] of Object.entries(unsayable)) {
    test(`${what} that HTTP has no words for: 500, and the proxy goes on`, async (t) => {
      const app = await startEcho(t, 'app');
      const path = { type: 'prefix' as const, value: '/bad' };
      const routing = rules({ ...rule, matches: [{ path, headers: [], query: [], sourceLabels: {} }] }, {});
      const site = await startSite(t, { clusters: { a: [app.port] }, routing });
      for (const _ of [1, 2]) {
        const answer = await site.call('/bad');
        assert.deepEqual([answer.status, answer.body], [500, 'internal error']);
      }
      const entry = await until('log', () => site.log.at(-1));
      assert.equal(entry['response_flags'], 'LR');
      assert.match(String(entry['response_code_details']), /^internal_error\{ERR_/);
      assert.equal((await site.call('/good')).status, 200, 'nobody was ejected for it');
    });
  }

  test('whatever a part throws, over HTTP/1.1 and HTTP/2', async (t) => {
    const app = await startEcho(t, 'app');
    let broken = true;
    const random = () => {
      if (broken) throw new RangeError('no luck');
      return 0;
    };
    const action = { ...to('a', 'b') };
    const site = await startSite(t, { clusters: { a: [app.port], b: [app.port] }, routing: rules({ action }), random });
    const first = await site.call('/');
    assert.deepEqual([first.status, first.body], [500, 'internal error']);
    const session = connect(`http://127.0.0.1:${site.port}`);
    onEnd(t, () => session.close());
    const ask = async () => {
      const stream = session.request({ ':path': '/', ':authority': host });
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      stream.resume();
      await once(stream, 'close');
      return headers[':status'];
    };
    assert.equal(await ask(), 500);
    assert.deepEqual(
      site.log.map((entry) => [entry['response_flags'], entry['response_code_details']]),
      [
        ['LR', 'internal_error{RangeError}'],
        ['LR', 'internal_error{RangeError}'],
      ],
    );
    broken = false;
    assert.equal(await ask(), 200, 'on the same connection');
  });

  test('answers without a body have no length either', async (t) => {
    const site = await startSite(t, { clusters: {}, routing: rules({ action: { type: 'direct', status: 204 } }) });
    const { status, headers } = await site.call('/');
    assert.deepEqual([status, headers['content-length']], [204, undefined]);
  });
});
