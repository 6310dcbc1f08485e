import assert from 'node:assert/strict';
import test from 'node:test';
import type { HttpMatch } from '../../../core/traffic/index.ts';
import { leads, meshService, modelOf, routingOf } from '../../support/traffic-model.ts';
import { anyRequest, prefix, rule, to, virtualService } from '../../support/traffic-objects.ts';

const services = [meshService('shop/web'), meshService('team/orders')];
const delegate = (matches: readonly (readonly [string, readonly HttpMatch[]])[], exportTo: readonly string[] = []) =>
  virtualService(
    'team/d',
    [],
    matches.map(([name, m]) => rule(name, [to('orders')], { matches: m })),
    { exportTo },
  );
const root = (matches: readonly HttpMatch[]) =>
  virtualService('shop/v', ['web'], [rule('root', [], { matches, delegate: { namespace: 'team', name: 'd' } }), rule('rest', [to('web')])]);
const compile = (r: ReturnType<typeof root>, d: ReturnType<typeof delegate>) =>
  routingOf(modelOf([r, d], services), 'shop/web')?.virtualHosts[0]?.rules;

test('a delegate stands in the place of the rule that names it, with names of its own namespace', () => {
  const model = modelOf(
    [
      root([prefix('/orders')]),
      delegate([
        ['a', [prefix('/orders/a')]],
        ['any', []],
      ]),
    ],
    services,
  );
  assert.deepEqual(leads(routingOf(model, 'shop/web')), [
    ['root-a', 'outbound|80||orders.team.mesh.internal'],
    ['root-any', 'outbound|80||orders.team.mesh.internal'],
    ['rest', 'outbound|80||web.shop.mesh.internal'],
  ]);
  const rules = compile(
    root([prefix('/orders')]),
    delegate([
      ['a', [prefix('/orders/a')]],
      ['any', []],
    ]),
  );
  assert.deepEqual(
    rules?.map((r) => r.matches[0]?.path?.value),
    ['/orders/a', '/orders', undefined],
  );
});

test('what a delegate asks for beyond its root does not hold', () => {
  const exact = (value: string): HttpMatch => ({ ...anyRequest, path: { type: 'exact', value } });
  const regex = (value: string): HttpMatch => ({ ...anyRequest, path: { type: 'regex', value } });
  const header = (value: string): HttpMatch => ({ ...anyRequest, headers: [{ name: 'x', value: { type: 'exact', value } }] });
  const from = (sourceNamespace: string): HttpMatch => ({ ...anyRequest, sourceNamespace });
  const labels = (app: string): HttpMatch => ({ ...anyRequest, sourceLabels: { app } });
  const cases: readonly (readonly [HttpMatch, HttpMatch, boolean])[] = [
    [prefix('/a'), prefix('/b'), false],
    [prefix('/a/b'), prefix('/a'), false],
    [prefix('/a'), exact('/a/x'), true],
    [exact('/a'), exact('/a'), true],
    [exact('/a'), prefix('/a'), false],
    [prefix('/a'), regex('/a.*'), false],
    [regex('/a.*'), anyRequest, true],
    [{ ...prefix('/a'), ignoreCase: true }, prefix('/a'), false],
    [header('1'), header('1'), true],
    [header('1'), header('2'), false],
    [header('1'), { ...anyRequest, headers: [{ name: 'x' }] }, false],
    [{ ...anyRequest, headers: [{ name: 'x' }] }, header('1'), true],
    [from('a'), from('b'), false],
    [labels('a'), labels('b'), false],
    [labels('a'), from('b'), true],
  ];
  for (const [outer, inner, kept] of cases) {
    const rules = compile(root([outer]), delegate([['d', [inner]]]));
    assert.equal(rules?.length, kept ? 2 : 1, `${JSON.stringify(outer)} ${JSON.stringify(inner)}`);
  }
});

test('a rule of a delegate is left out as a whole if one of its matches is within none of the root', () => {
  const paths = (outer: readonly HttpMatch[], inner: readonly HttpMatch[]) =>
    compile(root(outer), delegate([['d', inner]]))?.map((r) => r.matches.map((m) => m.path?.value));
  assert.deepEqual(paths([prefix('/a'), prefix('/b')], [prefix('/a/1'), prefix('/b/1')]), [['/a/1', '/b/1'], []]);
  assert.deepEqual(paths([prefix('/a'), prefix('/b')], [prefix('/a/1'), prefix('/c')]), [[]]);
  assert.deepEqual(paths([prefix('/a'), prefix('/a/1')], [prefix('/a/1/x')]), [['/a/1/x', '/a/1/x'], []]);
});

test('headers of a delegate stand in the place of all of its root, of requests and of answers', () => {
  const change = (value: string) => ({ set: [['x', value]] as const, add: [], remove: [] });
  const made = (own: Parameters<typeof rule>[2]) => {
    const more = { delegate: { namespace: 'team', name: 'd' }, requestHeaders: change('root'), responseHeaders: change('root') };
    const outer = virtualService('shop/v', ['web'], [rule('root', [], more)]);
    const { requestHeaders, responseHeaders } = compile(outer, virtualService('team/d', [], [rule('d', [to('orders')], own)]))?.[0] ?? {};
    return [requestHeaders?.set[0]?.[1], responseHeaders?.set[0]?.[1]];
  };
  assert.deepEqual(made({}), ['root', 'root']);
  assert.deepEqual(made({ responseHeaders: change('own') }), [undefined, 'own']);
  assert.deepEqual(made({ requestHeaders: change('own') }), ['own', undefined]);
});

test('what the delegate does not say, its root does', () => {
  const r = virtualService(
    'shop/v',
    ['web'],
    [
      rule('root', [], {
        delegate: { namespace: 'team', name: 'd' },
        fault: { abort: { percent: 1, status: 500 } },
        action: { type: 'route', destinations: [], mirrors: [], timeoutMs: 5_000 },
      }),
    ],
  );
  const own = virtualService('team/d', [], [rule('d', [to('orders')], { fault: { delay: { percent: 1, ms: 1 } } })]);
  const made = compile(r, own)?.[0];
  assert.deepEqual(made?.fault, { delay: { percent: 1, ms: 1 } });
  assert.equal(made?.action.type === 'route' && made.action.timeoutMs, 5_000);
});

test('a delegate that has hosts, is not exported, or delegates again is none', () => {
  assert.equal(compile(root([]), delegate([['d', []]], ['.']))?.length, 1);
  assert.equal(compile(root([]), { ...delegate([['d', []]]), spec: { ...delegate([['d', []]]).spec, hosts: ['x'] } })?.length, 1);
  const again = virtualService('team/d', [], [rule('d', [], { delegate: { namespace: 'team', name: 'd' } })]);
  assert.equal(compile(root([]), again)?.length, 1);
});
