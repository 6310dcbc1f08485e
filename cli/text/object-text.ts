import type { ChangeResult, ObjectList, RevisionDetail, RevisionList, RevisionSummary } from '../../core/admin/index.ts';
import { documentDiff } from './document-diff.ts';
import { age, table } from './table.ts';

/** Pure: what was done to each object, and what comes next. */
export function changeText({ dryRun, revision, confirmBy, waiting, warnings = [], objects }: ChangeResult): string {
  const done = objects.map((o) => `${o.kind} ${o.namespace}/${o.name} ${o.action}${dryRun ? ' (dry run)' : ''}`);
  const lines = [...done, ...warnings.map((warning) => `Warning: ${warning}.`)];
  if (dryRun)
    return [...lines, ...(waiting === undefined ? [] : [`It would be refused now: ${waiting}.`]), 'Nothing was changed.'].join('\n');
  if (revision === undefined) return [...lines, 'Nothing differs: there is no new revision.'].join('\n');
  if (confirmBy === undefined) return [...lines, `Revision ${revision}.`].join('\n');
  return [...lines, `Revision ${revision} is tentative: it is rolled back at ${confirmBy} unless isthmus confirm comes first.`].join('\n');
}

export function objectsText({ objects }: ObjectList, now: number): string {
  if (objects.length === 0) return 'none';
  const rows = objects.map((o) => [
    o.kind,
    o.namespace,
    o.name,
    `${o.owner.cluster}/${o.owner.source}`,
    o.scope,
    age(Math.max(0, now - Date.parse(o.createdAt))),
    o.inForce ? 'yes' : 'no',
    o.findings.length === 0 ? '' : String(o.findings.length),
  ]);
  const findings = objects.flatMap((o) =>
    o.findings.map((f) => `${f.severity} ${f.code}: ${o.kind} ${o.namespace}/${o.name}${f.path === '' ? '' : ` ${f.path}`}: ${f.message}`),
  );
  const head = ['KIND', 'NAMESPACE', 'NAME', 'OWNER', 'SCOPE', 'AGE', 'IN FORCE', 'FINDINGS'];
  return [table(head, rows), ...(findings.length === 0 ? [] : ['', ...findings])].join('\n');
}

export function historyText({ revisions, newest, oldest }: RevisionList): string {
  if (newest === 0) return 'nothing has been applied yet';
  const rows = revisions.map((r) => [
    String(r.number),
    r.at,
    r.by,
    r.reason,
    stateOf(r),
    `+${r.created} ~${r.configured} -${r.deleted}`,
    r.message === '' ? shortened(r.objects) : r.message,
  ]);
  const note = `Kept: ${oldest} to ${newest}. isthmus rollback goes to any of them, and to ${oldest - 1}.`;
  return [table(['REVISION', 'AT', 'BY', 'REASON', 'STATE', 'CHANGES', 'WHAT'], rows), '', note].join('\n');
}

function shortened(objects: readonly string[]): string {
  const [first = '', ...more] = objects;
  return more.length === 0 ? first : `${first} and ${more.length} more`;
}

function stateOf({ state, confirmBy }: RevisionSummary): string {
  return state === 'tentative' ? `tentative until ${confirmBy ?? ''}` : state;
}

export function revisionText(revision: RevisionDetail): string {
  const { number, at, by, reason, message, changes } = revision;
  const head = `Revision ${number}, ${reason} by ${by} at ${at}, ${stateOf(revision)}${message === '' ? '' : `: ${message}`}`;
  const parts = changes.map((c) => `${c.kind} ${c.namespace}/${c.name}\n${documentDiff(c.before, c.after)}`);
  return [head, ...parts].join('\n\n');
}
