import type { Clock } from '../../core/clock.ts';
import { makeSvid, SettableSvidSource } from '../../core/identity/index.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { controlServiceAccount, systemNamespace } from '../../core/model/index.ts';
import { generateKey, spkiOf } from '../../core/pki/index.ts';
import type { Authority } from './authority.ts';

/** A new SVID of the control plane itself; its key lives in memory alone. Throws as `issueSvid` does. */
function issueOwn(authority: Authority, ttlMs: number) {
  const key = generateKey();
  const id = { trustDomain: authority.trustDomain, namespace: systemNamespace, serviceAccount: controlServiceAccount };
  const made = makeSvid(authority.issueSvid(spkiOf(key), id, ttlMs).chain, key);
  if (!made.ok) throw new Error(made.violations[0]?.message);
  return made.value;
}

/**
 * The control plane's own identity, for its listeners and for dialling peers: issued now, again at half-life and whenever the signing
 * certificate changes, until `signal` aborts; the bundle follows the authority's. Call it once `authority.ready`.
 */
export function ownSvidSource(
  authority: Authority,
  options: { ttlMs: number; clock: Clock; log: Log; signal: AbortSignal },
): SettableSvidSource {
  const { clock, log, signal } = options;
  const source = new SettableSvidSource(issueOwn(authority, options.ttlMs), authority.bundle());
  const renew = () => {
    try {
      source.set(issueOwn(authority, options.ttlMs), authority.bundle());
    } catch (error) {
      log.error({ error }, 'the control plane could not renew its own identity');
    }
  };
  let signer = authority.intermediate?.serial;
  const unsubscribe = authority.subscribe(() => {
    if (signer === authority.intermediate?.serial) return source.set(source.current(), authority.bundle());
    signer = authority.intermediate?.serial;
    renew();
  });
  void (async () => {
    try {
      for (;;) {
        const { notAfter } = source.current();
        await clock.sleep(Math.max(250, (notAfter - clock.now()) / 2), signal);
        renew();
      }
    } catch (error) {
      if (!isAborted(error)) log.error({ error }, 'renewal of the control plane identity ended');
    } finally {
      unsubscribe();
    }
  })();
  return source;
}
