import type { Clock } from '../../core/clock.ts';
import type { RequestAuthenticationObject } from '../../core/config/index.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../core/store.ts';
import { fetchKeys, KeySets } from '../jwks/index.ts';

interface Around {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Keys by which tokens are verified: data planes get them with their rules and ask no issuer. */
export function openIssuerKeys({ store, clock, random, log, signal }: Around, onChange: () => void): Promise<KeySets> {
  const fetch = (uri: string, timeoutMs: number, until: AbortSignal) => fetchKeys(uri, timeoutMs, clock, until);
  return KeySets.open({ store, clock, random, log, fetch, onChange }, signal);
}

/** Where keys are to be fetched, and how long one fetch may take. */
export function keySources(objects: readonly RequestAuthenticationObject[]): ReadonlyMap<string, number> {
  const rules = objects.flatMap((object) => object.spec.rules);
  return new Map(rules.flatMap(({ jwksUri, timeoutMs }) => (jwksUri === undefined ? [] : [[jwksUri, timeoutMs] as const])));
}
