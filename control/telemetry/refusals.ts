import { createHash } from 'node:crypto';
import { Counter, type Registry } from 'prom-client';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { systemClock } from '../../core/system-clock.ts';

/** Who or what was turned away. Closed: it is a label. */
export type RefusedWhat =
  | 'attestation'
  | 'connection'
  | 'federation'
  | 'join'
  | 'jwt-svid'
  | 'registration'
  | 'renewal'
  | 'revocation'
  | 'token'
  | 'tunnel';

/** Why. Closed: it is a label, and alert rules name it; what is special to one case belongs in the detail. */
export type RefusalReason =
  | 'bad-certificate' // a client certificate that does not hold; the detail says how
  | 'bad-csr' // not a request, or its signature does not prove possession of its key
  | 'bad-grant' // a policy's rule matched, and what it grants cannot be
  | 'bad-signature'
  | 'expired'
  | 'fenced' // somebody newer holds it
  | 'issuer-refused' // who made it was asked, and does not say that it holds
  | 'issuer-unavailable' // its keys are not known and cannot be had now
  | 'limited' // too many, too often
  | 'malformed' // cannot be read as what it should be
  | 'missing-claim' // without exp, jti or what else it has to say
  | 'no-certificate'
  | 'no-rule' // the proof holds, and no policy gives it anything
  | 'not-issued-here' // this cluster's ledger does not know it
  | 'not-yet-valid'
  | 'replayed' // bound to another key already
  | 'revoked'
  | 'too-large'
  | 'too-long-lived' // valid for longer than is accepted
  | 'unknown-attestor'
  | 'unknown-key' // signed by a key that the issuer does not publish
  | 'unknown-token'
  | 'unreachable' // what it says of itself was tried, and is not so
  | 'untrusted-issuer' // of another issuer, authority or account
  | 'used-up'
  | 'wrong-address'
  | 'wrong-algorithm'
  | 'wrong-audience'
  | 'wrong-cluster'
  | 'wrong-instance'
  | 'wrong-name' // asks for an identity other than the one that is proven
  | 'wrong-role'
  | 'wrong-secret'
  | 'wrong-service'
  | 'wrong-source'
  | 'wrong-trust-domain';

/** Where every refused credential is said: on the side that refuses, once, with its reason and without the credential. */
export interface Refusals {
  /** `detail` is for people who run this side; it holds no secret, and is never sent. `fields` go into the log alone. */
  refuse(what: RefusedWhat, reason: RefusalReason, detail: string, fields?: Readonly<Record<string, unknown>>): void;
}

export type RefusalCounter = Counter<'what' | 'reason'>;

export function createRefusalCounter(registry: Registry): RefusalCounter {
  return new Counter({
    name: 'isthmus_refusals_total',
    help: 'Credentials and requests that were refused, by why.',
    labelNames: ['what', 'reason'],
    registers: [registry],
  });
}

/** A refusal that is the same in everything is logged once in this time. */
const sameForMs = 60_000;
/** Refusals of which it is known when they were logged last; the oldest is forgotten, and would be logged again. */
const mostKnown = 1_024;

/**
 * Logs as a warning, and counts where there is a counter. Whoever is refused and asks again and again, which a machine does, is counted each time and
 * logged once a minute: `repeated` says how often it was refused since the line before.
 */
export function createRefusals(log: Log, counter?: RefusalCounter, clock: Pick<Clock, 'monotonic'> = systemClock): Refusals {
  const logged = new Map<string, { readonly at: number; repeated: number }>();
  return {
    refuse(what, reason, detail, fields = {}) {
      counter?.inc({ what, reason });
      const now = clock.monotonic();
      // Whoever is refused has a say in the fields, and none in what it costs to remember them.
      const key = createHash('sha256')
        .update(JSON.stringify([what, reason, detail, fields]))
        .digest('base64');
      const before = logged.get(key);
      if (before !== undefined && now - before.at < sameForMs) {
        before.repeated += 1;
        return;
      }
      logged.delete(key);
      logged.set(key, { at: now, repeated: 0 });
      const [oldest] = logged.keys();
      if (logged.size > mostKnown && oldest !== undefined) logged.delete(oldest);
      const repeated = before === undefined || before.repeated === 0 ? {} : { repeated: before.repeated };
      log.warn({ ...fields, reason, detail, ...repeated }, `${what} refused`);
    },
  };
}
