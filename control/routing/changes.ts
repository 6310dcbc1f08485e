import type { TrafficObject } from '../../core/config/index.ts';
import type { ServiceKey } from '../../core/model/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { ObjectIndex, Token, WildHost } from './object-index.ts';
import { objectId } from './objects.ts';

/** What an update touches. */
export interface Touched {
  readonly tokens: Set<Token>;
  /** Wildcards of objects that came, went or changed. */
  readonly wild: WildHost[];
  readonly objects: Set<string>;
}

/** Brings the index up to date. Of two objects with one id the first counts; what is `===` to what was there has not changed. */
export function replaceObjects(index: ObjectIndex, objects: readonly TrafficObject[], touched: Touched): void {
  const next = new Map<string, TrafficObject>();
  for (const object of objects) {
    const id = objectId(object);
    if (!next.has(id)) next.set(id, object);
  }
  const gone = [...index.ids()].filter((id) => !next.has(id));
  for (const [id, object] of [...gone.map((id) => [id, undefined] as const), ...next]) {
    if (index.get(id) === object) continue;
    const { tokens, wild } = index.replace(id, object);
    touched.objects.add(id);
    for (const token of tokens) touched.tokens.add(token);
    touched.wild.push(...wild);
  }
}

/** A service's endpoints may come and go without its rules being looked at again: those ask for its ports. */
export function touchService(key: ServiceKey, before: MergedService | undefined, now: MergedService | undefined, touched: Touched): void {
  if (before === now) return;
  touched.tokens.add(`endpoints@${key}`);
  if (before === undefined || now === undefined || !samePorts(before, now)) touched.tokens.add(`service@${key}`);
}

function samePorts(a: MergedService, b: MergedService): boolean {
  if (a.ports === b.ports) return true;
  return (
    a.ports.length === b.ports.length &&
    a.ports.every((port, i) => {
      const other = b.ports[i];
      return port.port === other?.port && port.protocol === other.protocol && port.name === other.name;
    })
  );
}
