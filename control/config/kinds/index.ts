import { didYouMean } from '../../../core/yaml/index.ts';
import { gatewayApiKinds } from './gateway-api.ts';
import { istioKinds } from './istio.ts';
import { istioSecurityKinds } from './istio-security.ts';
import { mcsKinds } from './mcs.ts';
import { ownKinds } from './own.ts';
import { refusedKinds } from './refused.ts';
import type { KindRow } from './row.ts';

export type { KindRow } from './row.ts';

/** Every kind that may be written. One kind of several groups has a row for each. */
export const kindRows: readonly KindRow[] = [...ownKinds, ...istioSecurityKinds, ...istioKinds, ...gatewayApiKinds, ...mcsKinds];

/** Of those that people write. */
const writtenByPeople = kindRows.filter((row) => row.derived === undefined);

/** Those that may be applied, and that other systems hold as well; the versions in the order in which they are preferred. */
export const objectKinds: readonly Pick<KindRow, 'group' | 'kind' | 'versions'>[] = writtenByPeople
  .filter((row) => row.scope !== undefined)
  .map(({ group, kind, versions }) => ({ group, kind, versions }));

/** What an object is, by its apiVersion and kind; without a row, what is wrong with them. */
export interface KindLookup {
  readonly row?: KindRow;
  readonly apiVersion?: string;
  readonly kind?: string;
}

/** A row may come with a mistake: then it is what was meant, so that the rest of the object can be judged. */
export function lookUpKind(apiVersion: unknown, kind: unknown): KindLookup {
  if (typeof kind !== 'string') return { kind: kind === undefined || kind === null ? 'is required' : 'must be a string' };
  const named = kindRows.filter((row) => row.kind === kind);
  const said = typeof apiVersion === 'string' ? apiVersion : '';
  const [group = ''] = said.split('/');
  const refused = refusedKinds.find((k) => k.kind === kind && (k.group === group || named.length === 0));
  if (refused !== undefined) return { kind: `${kind} is not supported, and is never ignored: ${refused.why}` };
  if (named.length === 0) return { kind: unknownKind(kind) };
  const row = named.find((each) => each.group === group) ?? (named.length === 1 ? named[0] : undefined);
  const known = named.flatMap((each) => each.versions.map((version) => `${each.group}/${version}`));
  if (row !== undefined && known.includes(said)) return { row };
  const preferred = (row === undefined ? named : [row]).map((each) => `${each.group}/${each.versions[0]}`).join(' or ');
  const mistake = apiVersion === undefined || apiVersion === null ? 'is required' : `must be ${preferred}`;
  return row === undefined ? { apiVersion: mistake } : { row, apiVersion: mistake };
}

function unknownKind(kind: string): string {
  const names = [...new Set(writtenByPeople.map((row) => row.kind))];
  return `${JSON.stringify(kind.slice(0, 60))} is no kind known here${didYouMean(kind, names) || `; known are ${names.join(', ')}`}`;
}
