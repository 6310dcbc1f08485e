import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compileLogging, isLogged, parseLogFilter } from '../../../core/access-log/index.ts';

const request = {
  reporter: 'destination',
  method: 'GET',
  path: '/pay?id=1',
  authority: 'pay.shop',
  user_agent: 'curl/8',
  response_code: 404,
  source_principal: 'spiffe://mesh.test/ns/shop/sa/web',
};
const stream = { reporter: 'source', type: 'tcp', source_principal: null };

function kept(expression: string, entry: Readonly<Record<string, unknown>>): boolean {
  const side = { enabled: true, filter: expression };
  return isLogged(entry, compileLogging({ client: side, server: side }));
}

test('what a filter takes, of requests and of byte streams', () => {
  const cases: readonly (readonly [string, boolean, boolean])[] = [
    ['response.code >= 400', true, false],
    ['response.code < 400', false, false],
    ['response.code == 404 || response.code == 503', true, false],
    ['!(response.code >= 400)', false, false],
    ['!has(response.code) || response.code >= 500', false, true],
    ["request.method == 'GET' && request.path.startsWith('/pay')", true, false],
    ['request.url_path == "/pay"', true, false],
    ["request.path.endsWith('id=1') && request.host.contains('shop')", true, false],
    ["request.useragent != 'curl/8'", false, false],
    ['connection.mtls', true, false],
    ['connection.mtls == false', false, true],
    ["connection.uri_san_peer_certificate.endsWith('/sa/web')", true, false],
    ['true', true, true],
    ['false || connection.mtls && !has(request.path)', false, false],
  ];
  for (const [expression, ofRequest, ofStream] of cases) {
    assert.ok(parseLogFilter(expression).ok, expression);
    assert.deepEqual([kept(expression, request), kept(expression, stream)], [ofRequest, ofStream], expression);
  }
});

test('of what is not there nothing is true, unless the other side decides', () => {
  assert.equal(kept('response.code >= 400 || !connection.mtls', stream), true);
  assert.equal(kept('!connection.mtls || response.code >= 400', stream), true);
  assert.equal(kept('!(response.code >= 400 && connection.mtls)', stream), true);
  assert.equal(kept('!(response.code >= 400)', stream), false);
});

test('what cannot be understood alike by both proxies is refused with what is wrong', () => {
  const faults = [
    ['response.cod >= 400', /asks for response\.cod, .*did you mean response\.code\?/],
    ["response.code == '404'", /is a number, and cannot be compared with the text 404/],
    ["request.path > '/'", /> is for numbers/],
    ['request.path', /is no condition: compare it, as in request\.path == 'x'/],
    ["request.path.matches('.*')", /matches\(\) is not supported: use startsWith, endsWith, contains/],
    ["request.headers['x-debug'] == '1'", /cannot be read from "\['x-debug'\]/],
    ['(response.code >= 400', /needs \) instead of the end/],
    ['response.code >= 400 connection.mtls', /does not end at connection\.mtls: join conditions with && or \|\|/],
    ['', /needs an attribute/],
    [`${'!'.repeat(40)}connection.mtls`, /nested deeper than 16/],
    [`${'true || '.repeat(200)}true`, /longer than 1000/],
  ] as const;
  for (const [text, reason] of faults) {
    const parsed = parseLogFilter(text);
    assert.ok(!parsed.ok, text);
    assert.match(parsed.violations[0]?.message ?? '', reason);
  }
});

test('whatever is written, it is read or refused, and what is read can be asked of any entry', () => {
  const words = [
    'response.code',
    'request.path',
    'connection.mtls',
    '>=',
    '==',
    '&&',
    '||',
    '!',
    '(',
    ')',
    '400',
    "'x'",
    'has',
    'true',
    '.contains(',
  ];
  const text = fc.oneof(
    fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((list) => list.join(' ')),
    fc.string(),
  );
  const entry = fc.record({
    response_code: fc.option(fc.nat(599)),
    path: fc.option(fc.string()),
    source_principal: fc.option(fc.string()),
  });
  fc.assert(
    fc.property(text, entry, (expression, said) => {
      const parsed = parseLogFilter(expression);
      if (parsed.ok) assert.equal(typeof kept(expression, said), 'boolean');
      else assert.ok((parsed.violations[0]?.message ?? '') !== '');
    }),
  );
});

test('each side has its own word, and a filter that cannot be read keeps everything', () => {
  const rules = compileLogging({ client: { enabled: false }, server: { enabled: true, filter: 'of.tomorrow()' } });
  assert.deepEqual([isLogged(request, rules), isLogged(stream, rules)], [true, false]);
});
