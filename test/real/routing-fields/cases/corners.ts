import type { FieldCase, Step } from '../case.ts';
import { always, rules, toV1 } from './answers.ts';

const becomes = (path: string, seen: string): Step => ({ ask: { path }, expect: { status: 200, saw: { path: seen } } });

const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`;

/** What is legal and seldom written, and what nobody means well by. */
export const cornerCases: readonly FieldCase[] = [
  {
    name: 'a Host that is more than a host',
    config: always('redirect: {scheme: https}'),
    steps: [
      ...['evil.com/x', 'evil.com?x', 'evil.com#x', 'evil.com\\x', 'evil.com"', 'evil.com<', 'evil.com{', 'evil.com x'].map(
        (host): Step => ({ ask: { path: '/p', headers: { host } }, expect: { status: 400, told: { location: null } } }),
      ),
      { ask: { path: '/p', headers: { host: 'A_b.example' } }, expect: { status: 301, told: { location: 'https://A_b.example/p' } } },
    ],
  },
  {
    name: 'regexes of more than a hundred instructions',
    config: rules(`    - {match: [{uri: {regex: "/files/.{1,64}"}}], headers: {response: {set: {rule: files}}}, ${toV1}}
    - {match: [{authority: {exact: ${long}}}], headers: {response: {set: {rule: long}}}, ${toV1}}
    - {${toV1}}`),
    steps: [
      { ask: { path: `/files/${'x'.repeat(64)}` }, expect: { status: 200, told: { rule: 'files' } } },
      { ask: { path: `/files/${'x'.repeat(65)}` }, expect: { status: 200, told: { rule: null } } },
      { ask: { headers: { host: long } }, expect: { status: 200, told: { rule: 'long' } } },
    ],
  },
  {
    name: 'uriRegexRewrite by what fits nothing as well',
    config: rules(`    - {match: [{uri: {prefix: /all}}], rewrite: {uriRegexRewrite: {match: ".*", rewrite: /new}}, ${toV1}}
    - {match: [{uri: {prefix: /under}}], rewrite: {uriRegexRewrite: {match: "(.*)", rewrite: '/x\\1'}}, ${toV1}}
    - {match: [{uri: {prefix: /index}}], rewrite: {uriRegexRewrite: {match: "/?$", rewrite: /index}}, ${toV1}}
    - {match: [{uri: {prefix: /file}}], rewrite: {uriRegexRewrite: {match: "[^/]*$", rewrite: f}}, ${toV1}}
    - {rewrite: {uriRegexRewrite: {match: "/*", rewrite: /}}, ${toV1}}`),
    steps: [
      becomes('/all?a=1', '/new?a=1'),
      becomes('/under/a', '/x/under/a'),
      becomes('/index/', '/index/index'),
      becomes('/index', '/index/index'),
      becomes('/file/a', '/file/f'),
      becomes('/file/', '/file/f'),
      becomes('//ab', '/a/b/'),
    ],
  },
  {
    name: 'redirect.uri with a query of its own',
    config: always('redirect: {uri: "/login?next=x"}'),
    steps: ['/a?y=2', '/a'].map((path) => ({ ask: { path }, expect: { status: 301, told: { location: 'http://reviews/login?next=x' } } })),
  },
  {
    name: 'default retries where there is one endpoint alone',
    config: always(toV1),
    steps: ['GET', 'PUT'].map((method) => ({
      behave: { v1: { reset: true, first: 1 } },
      ask: { method },
      expect: { status: 200, came: { v1: 2 } },
    })),
  },
];
