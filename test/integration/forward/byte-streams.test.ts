import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { ClusterRef, L4Match, L4Rule } from '../../../core/traffic/index.ts';
import { until } from '../../support/until.ts';
import { startSite, startTcpApp } from './forward-site.ts';

const anything: L4Match = { destinationSubnets: [], sniHosts: [], sourceLabels: {} };

function rule(match: Partial<L4Match> | undefined, ...clusters: readonly [string, number][]): L4Rule<ClusterRef> {
  const destinations = clusters.map(([cluster, weight]) => ({ destination: { cluster }, weight }));
  return { name: 'rule', matches: match === undefined ? [] : [{ ...anything, ...match }], destinations };
}

/** What the server says until it ends; '' when the connection is broken off. */
function hear(port: number): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    socket.on('close', () => resolve(heard));
  });
}

describe('byte streams go where their rules say', () => {
  test('by subnet and source labels, by weight of each connection; servers may speak first', async (t) => {
    const [a, b] = [await startTcpApp(t, 'a'), await startTcpApp(t, 'b')];
    let turn = 0;
    const site = await startSite(t, {
      protocol: 'tcp',
      labels: { app: 'front' },
      clusters: { a: [a], b: [b] },
      random: () => (turn++ % 4) / 4,
      routing: {
        l4: [
          rule({ destinationSubnets: ['10.0.0.0/8'] }, ['none', 1]),
          rule({ sourceLabels: { app: 'other' } }, ['none', 1]),
          rule({ destinationSubnets: ['127.0.0.0/8'], sourceLabels: { app: 'front' } }, ['a', 3], ['b', 1]),
        ],
      },
    });
    const heard = { a: 0, b: 0 };
    for (let i = 0; i < 40; i++) heard[(await hear(site.port)) as 'a' | 'b'] += 1;
    assert.equal(heard.a + heard.b, 40);
    assert.ok(heard.b > 0 && heard.a > heard.b, JSON.stringify(heard));
  });

  test('no rule, or none that leads anywhere: broken off, and the log says which', async (t) => {
    const none = await startSite(t, {
      protocol: 'tcp',
      clusters: {},
      routing: { l4: [rule({ destinationSubnets: ['10.0.0.0/8'] }, ['a', 1])] },
    });
    assert.equal(await hear(none.port), '');
    assert.equal((await until('log', () => none.log.at(-1)))['response_flags'], 'NR');
    const nowhere = await startSite(t, { protocol: 'tcp', clusters: {}, routing: { l4: [rule(undefined, ['', 1])] } });
    assert.equal(await hear(nowhere.port), '');
    assert.equal((await until('log', () => nowhere.log.at(-1)))['response_flags'], 'NC');
  });

  test('TLS by the name that is asked for, unread beyond the hello', async (t) => {
    const [a, b] = [await startTcpApp(t, 'a'), await startTcpApp(t, 'b')];
    const site = await startSite(t, {
      protocol: 'tls',
      clusters: { a: [a], b: [b] },
      routing: { l4: [rule({ sniHosts: ['*.a.example'] }, ['a', 1]), rule({ sniHosts: ['b.example'] }, ['b', 1])] },
    });
    const asked = (servername: string) =>
      new Promise<void>((resolve) => {
        const socket = connectTls({ host: '127.0.0.1', port: site.port, servername, rejectUnauthorized: false });
        socket.on('error', () => {});
        socket.on('close', () => resolve());
      });
    for (const name of ['x.a.example', 'b.example', 'c.example']) await asked(name);
    const entries = await until('three entries', () => (site.log.length === 3 ? site.log : undefined));
    assert.deepEqual(
      entries.map((each) => [each['requested_server_name'], each['upstream_cluster'], each['response_flags'] === 'NR']),
      [
        ['x.a.example', 'a', false],
        ['b.example', 'b', false],
        ['c.example', null, true],
      ],
    );
  });
});
