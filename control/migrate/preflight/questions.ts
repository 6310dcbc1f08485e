import type { MigrationGate, MigrationSpec } from '../../../core/config/index.ts';
import { didYouMean } from '../../../core/yaml/index.ts';
import { fail, type Problem, warn } from './verdict.ts';
import { listText } from './words.ts';

type PrometheusGate = Extract<MigrationGate, { type: 'prometheus' }>;

/** Gates and webhooks that ask others: where, and whether the question can have an answer. Nothing is asked here. */
export function questionProblems(spec: MigrationSpec, service: string): Problem[] {
  const gates = spec.gates.flatMap((gate, i) => {
    if (gate.type !== 'prometheus' && gate.type !== 'http') return [];
    const path = `spec.gates[${i}]`;
    const problems = urlProblems(gate, `${path}.url`);
    return gate.type === 'prometheus' ? [...problems, ...queryProblems(gate, path, service)] : problems;
  });
  return [...gates, ...spec.webhooks.flatMap((hook, i) => urlProblems(hook, `spec.webhooks[${i}].url`))];
}

function urlProblems({ url, tokenFile }: { readonly url: string; readonly tokenFile?: string }, path: string): Problem[] {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !['http:', 'https:'].includes(parsed.protocol) || parsed.hostname === '') {
    return [fail(path, `${url} is no http or https URL`, 'write it as http(s)://HOST:PORT[/PATH]')];
  }
  if (parsed.username !== '' || parsed.password !== '') {
    return [
      fail(
        path,
        'a credential is in the URL, where everybody who may read the object sees it',
        'put it into a file and name that as tokenFile',
      ),
    ];
  }
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(parsed.hostname);
  if (tokenFile === undefined || parsed.protocol === 'https:' || loopback) return [];
  return [warn(path, `the token would go to ${parsed.host} in the clear`, 'use https')];
}

const placeholders = ['$service', '$namespace', '$weight', '$interval'];

function queryProblems(gate: PrometheusGate, path: string, service: string): Problem[] {
  const { name, query, min, max } = gate;
  const problems: Problem[] = [];
  if (query.trim() === '') problems.push(fail(`${path}.query`, `gate ${name} asks nothing`, 'write a query that gives one number'));
  const strange = [...new Set(query.match(/\$\{?[A-Za-z_]\w*\}?/g) ?? [])].filter((each) => !placeholders.includes(each));
  for (const each of strange) {
    const message = `${each} stands for nothing${didYouMean(each, placeholders)}`;
    problems.push(fail(`${path}.query`, message, `use ${listText(placeholders)}`));
  }
  const open = unbalanced(query);
  if (open !== undefined) {
    problems.push(fail(`${path}.query`, `${open} in the query has no other half: Prometheus would refuse it`, 'complete it'));
  }
  if (min === undefined && max === undefined) {
    problems.push(fail(path, `gate ${name} has neither min nor max: nothing would break it`, 'set one of them'));
  }
  if (min !== undefined && max !== undefined && min > max) {
    problems.push(fail(path, `gate ${name} allows ${min} at least and ${max} at most: no value is both`, 'swap them'));
  }
  if (query.trim() !== '' && !query.includes('$service') && !query.includes(service)) {
    const message = `gate ${name} asks for nothing of ${service}: it may measure something that does not move`;
    problems.push(
      warn(`${path}.query`, message, 'select the moving side in the query, such as {service="$service"} with a label of its pods'),
    );
  }
  return problems;
}

const halves: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

/** The first bracket or quote without its other half; what quotes hold counts not. */
function unbalanced(query: string): string | undefined {
  const open: string[] = [];
  let quote = '';
  for (let i = 0; i < query.length; i++) {
    const char = query.charAt(i);
    if (quote !== '') {
      if (char === '\\' && quote !== '`') i += 1;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'" || char === '`') quote = char;
    else if (Object.values(halves).includes(char)) open.push(char);
    else if (halves[char] !== undefined && open.pop() !== halves[char]) return char;
  }
  return quote === '' ? open.at(-1) : quote;
}
