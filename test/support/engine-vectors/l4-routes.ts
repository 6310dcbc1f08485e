import type { Socket } from 'node:net';
import type { L4Match, L4Rule, Routing } from '../../../core/traffic/index.ts';
import type { EngineTables } from '../../../gateway/engine/contract.ts';
import { encodeRouting } from '../../../gateway/engine/native/encode-rules.ts';
import { clusterByRules } from '../../../gateway/engine/node/choose-cluster.ts';
import { Connection } from '../../../gateway/engine/node/connection.ts';
import type { EngineParts } from '../../../gateway/engine/node/engine-parts.ts';
import { Router } from '../../../gateway/routing/index.ts';
import { clusterTable } from '../../contract/engine/harness.ts';

type Rule = L4Rule<{ readonly cluster: string }>;

const caller = { namespace: 'web', labels: { app: 'front', zone: 'a' } };
const match = (more: Partial<L4Match>): L4Match => ({ destinationSubnets: [], sniHosts: [], sourceLabels: {}, ...more });
const rule = (name: string, destinations: readonly (readonly [string, number])[], ...matches: readonly L4Match[]): Rule => ({
  name,
  matches,
  destinations: destinations.map(([cluster, weight]) => ({ destination: { cluster }, weight })),
});

const routings: Readonly<Record<string, readonly Rule[]>> = {
  empty: [],
  'one for all': [rule('all', [['a', 0]])],
  'leads nowhere': [rule('all', [['', 1]])],
  'all weights 0': [
    rule('all', [
      ['a', 0],
      ['b', 0],
    ]),
  ],
  weights: [
    rule('all', [
      ['a', 1],
      ['b', 3],
      ['c', 0],
      ['', 1],
    ]),
  ],
  'by source': [
    {
      ...rule('all', [
        ['hashed', 50],
        ['b', 30],
        ['c', 20],
      ]),
      byHash: true,
    },
  ],
  'by hash, but none of them by source': [
    {
      ...rule('all', [
        ['a', 50],
        ['b', 50],
      ]),
      byHash: true,
    },
  ],
  subnets: [
    rule('ten', [['a', 1]], match({ destinationSubnets: ['10.0.0.0/8', 'fd00::/9'] })),
    rule('host', [['b', 1]], match({ destinationSubnets: ['192.168.7.130'] }), match({ destinationSubnets: ['none', '10.0.0.0/33'] })),
    rule('six', [['c', 1]], match({ destinationSubnets: ['::/0'] })),
  ],
  names: [
    rule('exact', [['a', 1]], match({ sniHosts: ['a.example', 'B.example'] })),
    rule('both', [['b', 1]], match({ sniHosts: ['*.example'], destinationSubnets: ['10.0.0.0/8'] })),
    rule('suffix', [['c', 1]], match({ sniHosts: ['*.example', '*org'] })),
    rule('any', [['d', 1]], match({ sniHosts: ['*'], destinationSubnets: ['192.168.0.0/16'] })),
  ],
  callers: [
    rule('others', [['a', 1]], match({ sourceNamespace: 'ops' }), match({ sourceLabels: { app: 'back' } })),
    rule('too much', [['b', 1]], match({ sourceLabels: { app: 'front', zone: 'b' } })),
    rule('mine', [['c', 1]], match({ sourceNamespace: 'ops' }), match({ sourceNamespace: 'web', sourceLabels: { zone: 'a' } })),
  ],
};

const destinations = ['10.1.2.3', '192.168.7.130', '172.16.0.1', 'fd00::1', 'fe80::1'];
const sources = ['127.0.0.1', '10.244.1.17', '10.244.1.18', '2001:db8::7', 'fd00::1:2:3'];
const names = ['', 'a.example', 'b.example', 'c.example', '.example', 'example', 'org', 'x.org'];
const draws = [0, 0.1999, 0.2, 0.25, 0.5, 0.79999, 0.8, 0.999];

/** Of each routing where connections go, and why nowhere. */
export function l4RouteVectors() {
  const hash = { type: 'hash', on: { type: 'source-address' }, table: { type: 'ring', minimumRingSize: 64 } } as const;
  const clusters = new Map(['a', 'b', 'c', 'd'].map((name) => [name, clusterTable(name, [])]));
  clusters.set('hashed', clusterTable('hashed', [], { traffic: { loadBalancer: hash } }));
  return Object.entries(routings).map(([name, l4]) => {
    const routing: Routing = { virtualHosts: [], l4 };
    const choose = chooser(name, routing, { clusters });
    const facts = [
      ...destinations.flatMap((destination) => names.map((sni) => ({ source: '127.0.0.1', destination, sni, draw: 0 }))),
      ...sources.flatMap((source) => draws.map((draw) => ({ source, destination: '10.1.2.3', sni: '', draw }))),
    ];
    return {
      routing: encodeRouting(name, routing, true, { clusters }, caller),
      connections: facts.map((each) => ({ ...each, chosen: choose(each) })),
    };
  });
}

function chooser(name: string, routing: Routing, tables: Pick<EngineTables, 'clusters'>) {
  const router = new Router(caller);
  return ({ source, destination, sni, draw }: { source: string; destination: string; sni: string; draw: number }) => {
    const socket = { remoteAddress: source, remotePort: 1, localAddress: destination, localPort: 2 } as Socket;
    const connection = new Connection('c1', 'plain', socket, 0);
    connection.sni = sni;
    const parts = { router, tables: () => tables, options: { random: () => draw } } as unknown as EngineParts;
    return clusterByRules(connection, name, routing, parts) ?? { reason: connection.reason, detail: connection.detail };
  };
}
