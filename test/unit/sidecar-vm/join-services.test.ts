import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { CliError } from '../../../cli/cli-error.ts';
import { type ServiceFlags, serviceFlags, servicesOf } from '../../../cli/commands/vm-join-services.ts';

function parsed(...args: string[]) {
  const command = serviceFlags(new Command('join'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return servicesOf(command.parse(args, { from: 'user' }).opts<ServiceFlags>());
}

test('one service, as it always was said', () => {
  const [orders, ...more] = parsed('--service', 'shop/orders', '--port', '80', '--app-port', '8080', '--health', 'http:/healthz');
  const { namespace, name, port, appPort, protocol, health } = orders ?? {};
  assert.deepEqual([more.length, namespace, name, port, appPort, protocol], [0, 'shop', 'orders', 80, 8080, 'http']);
  assert.deepEqual(health, { probe: { kind: 'http', path: '/healthz' } });
  assert.deepEqual(parsed(), [], 'a machine that only calls');
});

test('several services, each with what is said of it, or of all', () => {
  const all = parsed(
    ...['--service', 'shop/orders:80:8080', '--service', 'shop/ledger:9000:grpc', '--service', 'shop/ledger:9001:9101:tcp'],
    ...['--health', 'http:/healthz', '--health', 'shop/ledger=grpc:shop.Ledger', '--unhealthy', '3', '--health-interval', '5s'],
    ...['--proxy-protocol', 'shop/ledger=v2', '--client-cert-header', 'off', '--client-cert-header', 'shop/orders=set'],
  );
  assert.deepEqual(
    all.map((each) => [each.name, each.port, each.appPort, each.protocol, each.proxyProtocol, each.forwardClientCert]),
    [
      ['orders', 80, 8080, 'http', undefined, undefined],
      ['ledger', 9000, 9000, 'grpc', 'v2', 'sanitize'],
      ['ledger', 9001, 9101, 'tcp', 'v2', 'sanitize'],
    ],
  );
  const common = { intervalMs: 5_000, unhealthy: 3 };
  assert.deepEqual(
    all.map((each) => each.health),
    [
      { probe: { kind: 'http', path: '/healthz' }, ...common },
      { probe: { kind: 'grpc', service: 'shop.Ledger' }, ...common },
      { probe: { kind: 'grpc', service: 'shop.Ledger' }, ...common },
    ],
  );
});

test('what does not go together is said, with what to do', () => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['--service', 'shop/orders'], /which port has shop\/orders/],
    [['--port', '80'], /--port goes with one --service/],
    [['--service', 'shop/a:1', '--port', '80'], /--port goes with one --service/],
    [['--service', 'shop/a:1', '--service', 'shop/b:2', '--app-port', '80'], /--app-port goes with one/],
    [['--service', 'shop/a:1', '--health', 'shop/b=tcp'], /speaks of shop\/b/],
  ];
  for (const [args, message] of cases)
    assert.throws(
      () => parsed(...args),
      (error) => error instanceof CliError && message.test(error.message),
      args.join(' '),
    );
  for (const wrong of ['shop', 'shop/a:0', 'shop/a:1:2:3', 'shop/a:1:2:udp', 'shop/a:1:http:2'])
    assert.throws(() => parsed('--service', wrong), wrong);
  for (const wrong of ['http:healthz', 'grpc:', 'exec:', 'udp', 'shop/a='])
    assert.throws(() => parsed('--service', 'shop/a:1', '--health', wrong), wrong);
});

test('callers without mesh come to a port of the machine that is said for one service, or to each one’s own', () => {
  const command = serviceFlags(new Command('join')).exitOverride();
  const args = ['--service', 'shop/orders:80:8080', '--service', 'shop/till:81:8081', '--expose', 'port', '--expose', 'shop/till=9081'];
  const all = servicesOf(command.parse(args, { from: 'user' }).opts<ServiceFlags>(), '10.0.0.7');
  assert.deepEqual(
    all.map(({ expose }) => expose),
    [
      { address: '10.0.0.7', port: 80 },
      { address: '10.0.0.7', port: 9081 },
    ],
  );
  assert.throws(() => parsed('--service', 'shop/orders:80', '--expose', 'shop/other=81'), /speaks of shop\/other/);
  assert.throws(() => parsed('--service', 'shop/orders:80', '--expose', '0'));
  const auto = serviceFlags(new Command('join')).exitOverride().parse(args, { from: 'user' });
  assert.throws(() => servicesOf(auto.opts<ServiceFlags>(), 'auto'), /found by itself/);
});
