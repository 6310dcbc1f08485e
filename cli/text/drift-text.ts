import type { Drift, DriftObject, DriftSummary } from '../../core/admin/index.ts';
import { age, section, table } from './table.ts';

/** Pure. */
export function driftText(drift: Drift): string {
  const { cluster, time, pairs, objects, conflicts } = drift;
  const now = Date.parse(time);
  const head = `as cluster ${cluster} sees it, ${time}\n`;
  if (pairs.length === 0 && conflicts.length === 0) return `${head}\nThere is no other cluster: see isthmus peer join.\n`;
  const rows = pairs.map((p) => [p.owner, p.cluster, p.state, count(p.objects), count(p.ownerObjects), since(p.since, now), joined(p)]);
  const parts = [head, section('CLUSTERS', ['OWNER', 'HELD BY', 'STATE', 'HELD', 'OF', 'SINCE', 'WHY'], rows)];
  if (objects.length > 0) parts.push(objectsText(objects, now));
  if (conflicts.length > 0) parts.push(conflictsText(drift, now));
  return parts.join('\n');
}

/** Pure: one line. */
export function driftSummary({ objects, pairs, conflicts }: Pick<Drift, 'objects' | 'pairs' | 'conflicts'>): string {
  const differing = objects.reduce((sum, o) => sum + (o.state === 'unknown' || o.state === 'in-sync' ? 0 : o.count), 0);
  return summaryText({ differing, unknown: pairs.filter((p) => p.state === 'unknown').length, conflicts: conflicts.length });
}

export function summaryText({ differing, unknown, conflicts }: Omit<DriftSummary, 'state'>): string {
  const parts = [
    differing === 0 ? [] : `${differing} ${differing === 1 ? 'object differs' : 'objects differ'} from what the owner has`,
    conflicts === 0 ? [] : `${conflicts} ${conflicts === 1 ? 'object has' : 'objects have'} several owners`,
    unknown === 0 ? [] : `of ${unknown} ${unknown === 1 ? 'pair' : 'pairs'} of clusters nothing is known now`,
  ].flat();
  return parts.length === 0 ? 'clusters hold what their owners have' : parts.join(', ');
}

function objectsText(objects: readonly DriftObject[], now: number): string {
  const header = ['OBJECT', 'OWNER', 'DIGEST', 'HELD BY', 'STATE', 'DIGEST', 'SINCE'];
  const rows = objects.map((o) => [
    o.name === '' ? `(${o.count}, not named here)` : `${o.kind} ${o.namespace}/${o.name}`,
    o.owner.source === '' ? o.owner.cluster : `${o.owner.cluster}/${o.owner.source}`,
    digest(o.digest),
    o.cluster,
    o.state,
    digest(o.held),
    since(o.since, now),
  ]);
  const notes = objects.flatMap((o) => {
    const said = joined(o);
    return said === '' ? [] : [`  ${o.name === '' ? o.owner.cluster : `${o.kind} ${o.namespace}/${o.name}`} at ${o.cluster}: ${said}`];
  });
  return `OBJECTS\n${table(header, rows)}\n${[...new Set(notes)].map((n) => `${n}\n`).join('')}`;
}

function conflictsText({ conflicts }: Drift, now: number): string {
  const rows = conflicts.map((c) => [
    `${c.kind} ${c.namespace}/${c.name}`,
    placeOf(c.winner),
    c.losers.map(placeOf).join(' '),
    since(c.since, now),
    c.next,
  ]);
  return section('SEVERAL OWNERS', ['OBJECT', 'IN FORCE', 'NOT IN FORCE', 'SINCE', 'WHAT TO DO'], rows);
}

function joined({ why, next }: { readonly why: string; readonly next: string }): string {
  return [why, next].filter((part) => part !== '').join('; ');
}

function placeOf({ cluster, source }: { readonly cluster: string; readonly source: string }): string {
  return `${cluster}/${source}`;
}

function since(at: string | null, now: number): string {
  return at === null ? '-' : age(Math.max(0, now - Date.parse(at)));
}

function digest(text: string | null): string {
  return text === null ? '-' : text.slice(0, 12);
}

function count(of: number | null): string {
  return of === null ? '-' : String(of);
}
