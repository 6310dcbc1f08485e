import { fieldTable } from '../../control/config/kinds/field-table.ts';
import { kindRows } from '../../control/config/kinds/index.ts';
import { refusedKinds } from '../../control/config/kinds/refused.ts';
import type { KindRow } from '../../control/config/kinds/row.ts';

const preface = `# Fields of every kind

Configuration is written in the kinds that are known already. Every field of theirs is in these tables: supported, or refused by name with what to
use instead. None is ignored in silence, and a field that is in no table is a mistake, answered with the one that was probably meant.

\`[]\` stands for each entry of a list, \`{}\` for each of a map. Where a part has the same fields as another, its row says so.
Metadata and status are taken as Kubernetes exports them.

**Scope.** Objects of these kinds hold in the whole mesh, or in the cluster that owns them alone; the annotation \`isthmus.dev/scope: mesh\` or
\`isthmus.dev/scope: cluster\` says which, and each kind has the default that its table names; any other annotation of \`isthmus.dev/\` is refused. What callers do holds wherever they run.
What names addresses, files and machines of one cluster (Gateway, WorkloadEntry, WorkloadGroup) holds there: the same certificate need not be elsewhere, and
a workload is in one place, whose services cross the border by being exported.
`;

/** docs/config-fields.md. */
export function configFieldsPage(): string {
  const kinds = kindRows.filter((row) => row.scope !== undefined && row.derived === undefined);
  const order = [...kinds].sort((a, b) => a.group.localeCompare(b.group) || a.kind.localeCompare(b.kind));
  return [preface, ...order.map(kindSection), refusedSection()].join('\n');
}

function kindSection(row: KindRow): string {
  const versions = row.versions.map((version) => `\`${row.group}/${version}\``).join(', ');
  const lines = fieldTable(row.schema, true).map(({ path, status, note, as }) => {
    const said = as === undefined ? note : `as \`${as === '' ? 'spec' : as}\``;
    return [`\`${path}\``, status === 'supported' ? 'yes' : status, said];
  });
  const top = `## ${row.kind}\n\n${versions}. Default scope: ${row.scope}.\n\n`;
  return `${top}${markdownTable([['field of spec', 'supported', ''], ...lines])}\n`;
}

function refusedSection(): string {
  const derived = kindRows.flatMap(({ group, kind, derived: why }) => (why === undefined ? [] : [{ group, kind, why }]));
  const lines = [...derived, ...refusedKinds].map(({ group, kind, why }) => [`\`${kind}\` (\`${group}\`)`, why]);
  return `## Kinds that are refused\n\n${markdownTable([['kind', 'why, and what to use instead'], ...lines])}\n`;
}

/** As the formatter lays it out: every column as wide as its widest cell. */
function markdownTable([head = [], ...body]: readonly (readonly string[])[]): string {
  const rows = [head, ...body].map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, i) => Math.max(3, ...rows.map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [first = [], ...rest] = rows;
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...rest.map(line)].join('\n');
}
