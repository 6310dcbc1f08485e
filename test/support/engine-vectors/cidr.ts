import { sourceAllowed } from '../../../gateway/engine/index.ts';

const addresses = ['10.0.0.0', '10.1.2.3', '10.255.255.255', '11.0.0.0', '127.0.0.1', '192.168.7.130', '255.255.255.255', '0.0.0.0'].concat(
  [
    '::ffff:10.1.2.3',
    '::ffff:192.168.7.130',
    '::',
    '::1',
    '::10.1.2.3',
    'fd00::1',
    'fd7f:ffff::',
    'fd80::',
    'fe80::1',
    '2001:db8:0:1::1',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ],
);

const lists: readonly (readonly string[] | 'any')[] = [
  'any',
  [],
  ['10.0.0.0/8'],
  ['10.1.2.99/8'],
  ['192.168.7.128/25'],
  ['192.168.7.130/31'],
  ['192.168.7.131/31', '11.0.0.0/32'],
  ['10.1.2.3'],
  ['fd00::1'],
  ['0.0.0.0/0'],
  ['::/0'],
  ['::/96'],
  ['::ffff:0:0/96'],
  ['::ffff:10.0.0.0/104'],
  ['::ffff:10.1.2.3'],
  ['fd00::/9'],
  ['fd00::1/9', 'fe80::/10'],
  ['2001:db8:0:1::/64', '127.0.0.0/8'],
  ['255.255.255.255/32', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128'],
  ['', '/8', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8.5', '10.0.0/8', '010.0.0.0/8', 'fd00::/129', 'fd00:::/8', 'any', 'orders.shop'],
  ['10.0.0.0/33', '10.0.0.0/9'],
];

/** Of each list, who may come and who may not. */
export function cidrVectors() {
  return lists.map((ranges) => {
    const [taken, refused] = [true, false].map((wanted) => addresses.filter((address) => sourceAllowed(ranges, address) === wanted));
    return { ranges, taken, refused };
  });
}
