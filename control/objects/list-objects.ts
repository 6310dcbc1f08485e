import type { ObjectFinding, ObjectItem, ObjectName } from '../../core/admin/index.ts';
import type { ObjectKey } from './contract.ts';
import type { ObjectSet } from './object-set.ts';
import { conflictFinding, objectItem, refusedItem } from './summaries.ts';

/** As the analysis of traffic rules reports it. */
export interface Reported {
  readonly severity: string;
  readonly code: string;
  readonly object: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly path: string;
  readonly message: string;
}

type Filter = Partial<Pick<ObjectName, 'kind' | 'group' | 'namespace' | 'name'>> & { readonly documents: boolean };

/** Everything that any owner has, in force or not, by kind, namespace and name. */
export function listObjects(set: ObjectSet, reported: readonly Reported[], filter: Filter): ObjectItem[] {
  const view = set.current();
  const findings = new Map<string, ObjectFinding[]>();
  for (const { object, severity, code, path, message } of reported) {
    const id = `${object.kind}/${object.namespace}/${object.name}`;
    findings.set(id, [...(findings.get(id) ?? []), { severity, code, path, message }]);
  }
  const conflicts = new Map(view.conflicts.map((c) => [c.key, c]));
  const itemsOf = (key: ObjectKey) =>
    set.holders(key).map((object, i) => {
      const conflict = conflicts.get(key);
      const { kind, namespace, name } = object.ref;
      const own = i === 0 ? (findings.get(`${kind}/${namespace}/${name}`) ?? []) : [];
      const all = conflict === undefined ? own : [...own, conflictFinding(key, conflict.winner, object.owner)];
      return objectItem(object, i === 0, all, filter.documents);
    });
  const items = [...[...view.objects.keys()].filter((key) => fits(key, filter)).flatMap(itemsOf)];
  items.push(...view.refused.filter(({ key }) => fits(key, filter)).map(refusedItem));
  return items.sort((a, b) => compare(`${a.kind}/${a.namespace}/${a.name}`, `${b.kind}/${b.namespace}/${b.name}`));
}

function fits(key: ObjectKey, filter: Filter): boolean {
  const [group, kind, namespace, name] = key.split('/');
  const same = (wanted: string | undefined, has: string | undefined) => wanted === undefined || wanted === has;
  return same(filter.group, group) && same(filter.kind, kind) && same(filter.namespace, namespace) && same(filter.name, name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
