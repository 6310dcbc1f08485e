import type { ExternalQuestion } from '../contract.ts';

/**
 * The query with `$service`, `$namespace`, `$weight` and `$interval` filled in. Names are escaped as in a PromQL string in quotes, so that none can end
 * the string that it stands in; `$interval` is a PromQL duration in whole seconds, at least 1s. Any other `$` stays as it is.
 */
export function fillQuery(query: string, question: ExternalQuestion): string {
  const values: Readonly<Record<string, string>> = {
    service: escapeString(question.service),
    namespace: escapeString(question.namespace),
    weight: String(question.weight),
    interval: `${Math.max(1, Math.floor(question.intervalMs / 1000))}s`,
  };
  return query.replace(/\$(service|namespace|weight|interval)\b/g, (_, name: string) => values[name] ?? '');
}

/**
 * For strings in either kind of quotes: in neither is the other's mark an escape, so both are written as bytes. In backticks there are no escapes, and
 * what could end such a string is left out. https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals
 */
function escapeString(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\x22').replaceAll("'", '\\x27').replaceAll('\n', '\\n').replaceAll('`', '');
}
