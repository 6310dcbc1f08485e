import type { Violation } from '../../core/validate.ts';
import { violation } from '../../core/yaml/index.ts';
import type { Candidate } from './candidates.ts';
import type { ObjectKey, ObjectView } from './contract.ts';
import type { Reported } from './list-objects.ts';
import { describeKey } from './ref.ts';

/** Pure: what proxies would refuse of what is compiled from `then`, and do not of `now`; the object is the one that causes it. */
export type CompiledFaults = (now: ObjectView, then: ObjectView) => readonly Reported[];

/** Every new fault as what is wrong with a document, where it is one of those given. */
export function faultViolations(faults: readonly Reported[], given: ReadonlyMap<ObjectKey, Candidate>): readonly Violation[] {
  return faults.map(({ object, path, message }) => {
    const own = [...given].find(([key]) => describeKey(key) === `${object.kind} ${object.namespace}/${object.name}`);
    if (own === undefined) return { path: '', message: `${object.kind} ${object.namespace}/${object.name}: ${path}: ${message}` };
    return violation(own[1].at, segments(path), message);
  });
}

/** `spec.http[0].route` as keys and indices. */
function segments(path: string): PropertyKey[] {
  return [...path.matchAll(/[^.[\]]+/g)].map(([part]) => (/^\d+$/.test(part) ? Number(part) : part));
}
