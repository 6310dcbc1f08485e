import type { HeaderChanges } from '../../traffic/index.ts';
import { HeaderValueOption, HeaderValueOption_HeaderAppendAction } from '../gen/envoy/config/core/v3/base.ts';

const { APPEND_IF_EXISTS_OR_ADD, OVERWRITE_IF_EXISTS_OR_ADD } = HeaderValueOption_HeaderAppendAction;

/** The fields of whatever message of Envoy's changes headers: it removes, then sets and adds. */
export function headerFields(request: HeaderChanges | undefined, response: HeaderChanges | undefined) {
  return {
    requestHeadersToAdd: additions(request),
    requestHeadersToRemove: removals(request),
    responseHeadersToAdd: additions(response),
    responseHeadersToRemove: removals(response),
  };
}

/** `later` after `first`, as one change. */
export function mergeChanges(first: HeaderChanges | undefined, later: HeaderChanges | undefined): HeaderChanges | undefined {
  if (first === undefined || later === undefined) return first ?? later;
  const undone = new Set([...later.set.map(([name]) => name), ...later.remove]);
  const stays = ([name]: readonly [string, string]) => !undone.has(name);
  return {
    set: [...first.set.filter(stays), ...later.set],
    add: [...first.add.filter(stays), ...later.add],
    remove: [...first.remove, ...later.remove],
  };
}

/** What a change sets the authority to: Envoy takes that apart from headers. */
export function authorityOf(changes: HeaderChanges | undefined): string | undefined {
  return changes?.set.findLast(([name]) => isAuthority(name))?.[1];
}

export function changesHeaders(changes: HeaderChanges | undefined): boolean {
  return changes !== undefined && changes.set.length + changes.add.length + changes.remove.length > 0;
}

function additions(changes: HeaderChanges | undefined): HeaderValueOption[] {
  const option = ([key, value]: readonly [string, string], appendAction: 0 | 2) =>
    // A percent sign begins one of Envoy's own formats.
    HeaderValueOption.create({ header: { key, value: value.replaceAll('%', '%%') }, appendAction, keepEmptyValue: true });
  return [
    ...(changes?.set ?? []).filter(isPlain).map((each) => option(each, OVERWRITE_IF_EXISTS_OR_ADD)),
    ...(changes?.add ?? []).filter(isPlain).map((each) => option(each, APPEND_IF_EXISTS_OR_ADD)),
  ];
}

function removals(changes: HeaderChanges | undefined): string[] {
  return (changes?.remove ?? []).filter((name) => isPlain([name]));
}

function isAuthority(name: string): boolean {
  return name === 'host' || name === ':authority';
}

/** Others spoil the whole configuration. */
function isPlain([name]: readonly [name: string, ...rest: string[]]): boolean {
  return !name.startsWith(':') && name !== 'host' && name !== '';
}
