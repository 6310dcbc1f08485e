import { startDnsServer } from '../../../sidecar-vm/dns/index.ts';

// The agent's resolver and one of the network, as the mode says: `agent ADDRESS` or `network ADDRESS`.
const [, , who = '', address = ''] = process.argv;
const zones =
  who === 'agent'
    ? { suffixes: ['mesh.internal'], hosts: new Map([['orders.shop.mesh.internal', ['127.64.0.7']]]) }
    : { suffixes: ['example.com', 'mesh.internal'], hosts: new Map([['www.example.com', ['192.0.2.80']]]) };
await startDnsServer({ address, port: 53, upstreams: [], zones: () => zones });
process.stdout.write('ready\n');
