import { MeshError } from '../../core/errors.ts';
import { type Store, storeLimits } from '../../core/store.ts';
import type { Grant } from './attestor/contract.ts';
import { decodeRecord, getRecord, putRecord, type Stored } from './record.ts';

/** Where the ledger lies in the store. */
export const ledgerKeys = {
  grant: (id: string) => `ca/grants/${id}`,
  issued: (serial: string) => `ca/issued/${serial}`,
  denied: (serial: string) => `ca/denied/${serial}`,
};
const grantsPrefix = 'ca/grants/';
const issuedPrefix = 'ca/issued/';
const deniedPrefix = 'ca/denied/';

const grantPrefix = 'ca/grants/';

interface IssuedRecord {
  readonly grant: string;
  readonly notAfter: number;
  /** Serial of the signing certificate; absent in records of versions before. */
  readonly issuer?: string;
  /** Its root was retired: it counts nowhere any more. */
  readonly retired?: boolean;
}

/** An SVID that was issued here and has not ended. */
export interface IssuedSvid {
  readonly serial: string;
  /** NAMESPACE/SERVICE-ACCOUNT/INSTANCE */
  readonly name: string;
  readonly issuer: string | undefined;
  /** Unix ms. */
  readonly notAfter: number;
  /** Nobody goes by it: its holder has left (see `setLeft`), or its root was retired. */
  readonly unused: boolean;
}

/** What a holder of SVIDs is called where operators name it. */
export function holderName(of: { readonly namespace: string; readonly serviceAccount: string; readonly instance: string }): string {
  return `${of.namespace}/${of.serviceAccount}/${of.instance}`;
}

/** Which SVID was issued on which grant: what renewal, registration and revocation go by. */
export class Ledger {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async grant(id: string): Promise<Stored<Grant> | undefined> {
    return getRecord<Grant>(this.#store, ledgerKeys.grant(id));
  }

  /** All of them, revoked ones too. */
  async grants(): Promise<readonly Grant[]> {
    return (await this.#store.list(grantsPrefix)).entries.map((entry) => decodeRecord<Grant>(entry));
  }

  /** The grant that an SVID was issued on; undefined for one that was not issued here, or whose grant is revoked. */
  async grantOfSerial(serial: string): Promise<Grant | undefined> {
    return (await this.storedGrantOfSerial(serial))?.value;
  }

  /** The same, as it lies in the store. */
  async storedGrantOfSerial(serial: string): Promise<Stored<Grant> | undefined> {
    const issued = await getRecord<IssuedRecord>(this.#store, ledgerKeys.issued(serial));
    if (issued === undefined) return undefined;
    const grant = await this.grant(issued.value.grant);
    return grant === undefined || grant.value.revoked ? undefined : grant;
  }

  /** The same, revoked or not. */
  async issuedOn(serial: string): Promise<Grant | undefined> {
    const issued = await getRecord<IssuedRecord>(this.#store, ledgerKeys.issued(serial));
    return issued === undefined ? undefined : (await this.grant(issued.value.grant))?.value;
  }

  /** Of the SVIDs on these grants that are still in their time, sorted. */
  async serialsOf(grants: readonly string[], now: number): Promise<readonly string[]> {
    const wanted = new Set(grants);
    const { entries } = await this.#store.list(issuedPrefix);
    const live = entries.filter((entry) => {
      const { grant, notAfter } = decodeRecord<IssuedRecord>(entry);
      return notAfter > now && wanted.has(grant);
    });
    return live.map((entry) => entry.key.slice(issuedPrefix.length)).sort();
  }

  /**
   * Durable before the SVID is handed out. MeshError PERMISSION_DENIED when the grant was revoked meanwhile. `known`: the grant as it was read
   * just now, which saves reading it again; whether it has changed since is for the store to say.
   */
  async recordIssued(grantId: string, serial: string, notAfter: number, issuer?: string, known?: Stored<Grant>): Promise<void> {
    for (let attempt = 0; attempt < 8; attempt++) {
      const grant = attempt === 0 && known !== undefined ? known : await this.grant(grantId);
      if (grant === undefined || grant.value.revoked) throw new MeshError('PERMISSION_DENIED', 'the right to this identity was revoked');
      const { succeeded } = await this.#store.txn({
        if: [{ key: ledgerKeys.grant(grantId), modRevision: grant.modRevision }],
        then: [
          putRecord(ledgerKeys.issued(serial), {
            grant: grantId,
            notAfter,
            ...(issuer === undefined ? {} : { issuer }),
          } satisfies IssuedRecord),
          putRecord(ledgerKeys.grant(grantId), issuedOnce(grant.value, notAfter)),
        ],
      });
      if (succeeded) return;
    }
    throw new MeshError('CONFLICT', 'the grant changed again and again', { retryable: true });
  }

  /** All SVIDs that have not ended by `now`, in the order of their issuing. Reads all of them: for rotations, not for every call. */
  async issued(now: number): Promise<readonly IssuedSvid[]> {
    const [{ entries }, grants] = await Promise.all([this.#store.list(issuedPrefix), this.#store.list(grantPrefix)]);
    const holders = new Map(
      grants.entries.map((entry) => {
        const { id, claims, instance, revoked, left = false } = decodeRecord<Grant>(entry);
        return [id, revoked ? undefined : { name: holderName({ ...claims, instance }), left }];
      }),
    );
    return [...entries]
      .sort((a, b) => a.createRevision - b.createRevision)
      .flatMap((entry) => {
        const { grant, notAfter, issuer, retired = false } = decodeRecord<IssuedRecord>(entry);
        const holder = holders.get(grant);
        if (holder === undefined || notAfter <= now) return [];
        return [{ serial: entry.key.slice(issuedPrefix.length), name: holder.name, issuer, notAfter, unused: retired || holder.left }];
      });
  }

  /**
   * Ends a grant: nothing is renewed or registered on it, and its SVIDs that are still in their time are denied. Idempotent, also after a crash
   * halfway.
   */
  async revokeGrant(id: string, now: number): Promise<void> {
    if (!(await this.#markRevoked(id))) return;
    const { entries } = await this.#store.list(issuedPrefix);
    const live = entries.flatMap((entry) => {
      const { grant, notAfter } = decodeRecord<IssuedRecord>(entry);
      return grant === id && notAfter > now ? [putRecord(ledgerKeys.denied(entry.key.slice(issuedPrefix.length)), { notAfter })] : [];
    });
    for (let at = 0; at < live.length; at += storeLimits.opsPerTxn) {
      await this.#store.txn({ if: [], then: live.slice(at, at + storeLimits.opsPerTxn) });
    }
  }

  /**
   * Whoever holds what was issued on this grant has left the mesh in order, or is back. A rotation does not wait for those who left: what they still have on disk
   * is used by nobody, until they register or renew with it, and are counted again. Idempotent.
   * `unless`: a key of the store; where that is there, it is back already, and nothing changes.
   */
  async setLeft(id: string, left: boolean, unless?: string): Promise<void> {
    const change = ({ left: before = false, ...grant }: Grant) => (before === left ? undefined : left ? { ...grant, left } : grant);
    await this.#changeGrant(id, change, unless);
  }

  /** These are under a root that is retired, of which their signing certificates tell no more once it is gone. Idempotent. */
  async setRetired(serials: readonly string[]): Promise<void> {
    if (serials.length === 0) return;
    const gone = new Set(serials.map(ledgerKeys.issued));
    const { entries } = await this.#store.list(issuedPrefix);
    const puts = entries
      .filter(({ key }) => gone.has(key))
      .map((entry) => putRecord(entry.key, { ...decodeRecord<IssuedRecord>(entry), retired: true } satisfies IssuedRecord));
    for (let at = 0; at < puts.length; at += storeLimits.opsPerTxn) {
      await this.#store.txn({ if: [], then: puts.slice(at, at + storeLimits.opsPerTxn) });
    }
  }

  /** False: there is no such grant. */
  #markRevoked(id: string): Promise<boolean> {
    return this.#changeGrant(id, (grant) => (grant.revoked ? undefined : { ...grant, revoked: true }));
  }

  /** Undefined: there is nothing to change. False: there is no such grant. */
  async #changeGrant(id: string, change: (grant: Grant) => Grant | undefined, unless?: string): Promise<boolean> {
    for (let attempt = 0; attempt < 8; attempt++) {
      const grant = await this.grant(id);
      if (grant === undefined) return false;
      if (unless !== undefined && (await this.#store.get(unless)) !== undefined) return true;
      const after = change(grant.value);
      if (after === undefined) return true;
      const { succeeded } = await this.#store.txn({
        if: [
          { key: ledgerKeys.grant(id), modRevision: grant.modRevision },
          ...(unless === undefined ? [] : [{ key: unless, modRevision: 0 }]),
        ],
        then: [putRecord(ledgerKeys.grant(id), after)],
      });
      if (succeeded) return true;
    }
    throw new MeshError('CONFLICT', 'the grant changed again and again', { retryable: true });
  }

  /** Serials that a backup says are denied: for a week, the longest that an SVID lives. Idempotent. */
  async deny(serials: readonly string[], now: number): Promise<void> {
    const puts = serials.map((serial) => putRecord(ledgerKeys.denied(serial), { notAfter: now + 7 * 86_400_000 }));
    for (let at = 0; at < puts.length; at += storeLimits.opsPerTxn) {
      await this.#store.txn({ if: [], then: puts.slice(at, at + storeLimits.opsPerTxn) });
    }
  }

  /** Serials that verifiers must refuse, with the revision to watch from. */
  async denied(): Promise<{ readonly serials: readonly string[]; readonly revision: number }> {
    const { entries, revision } = await this.#store.list(deniedPrefix);
    return { serials: entries.map((entry) => entry.key.slice(deniedPrefix.length)), revision };
  }

  /** Calls `onChange` with all denied serials, first at once and then after every change, until `signal` aborts. */
  async followDenied(onChange: (serials: readonly string[]) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { serials, revision } = await this.denied();
      onChange(serials);
      try {
        for await (const _batch of this.#store.watch(deniedPrefix, revision, signal)) onChange((await this.denied()).serials);
      } catch (error) {
        if (!(error instanceof MeshError && error.code === 'COMPACTED')) throw error;
      }
    }
  }

  /** Forgets what has been out of its time for a day. A singleton's task. */
  async sweep(now: number): Promise<void> {
    for (const prefix of [issuedPrefix, deniedPrefix]) {
      const { entries } = await this.#store.list(prefix);
      const old = entries.filter((entry) => decodeRecord<{ notAfter: number }>(entry).notAfter < now - 86_400_000);
      for (let at = 0; at < old.length; at += storeLimits.opsPerTxn) {
        await this.#store.txn({
          if: [],
          then: old.slice(at, at + storeLimits.opsPerTxn).map((entry) => ({ op: 'delete', key: entry.key })),
        });
      }
    }
  }
}

/** Whoever is given an SVID is there. */
function issuedOnce({ left: _gone, ...grant }: Grant, notAfter: number): Grant {
  return { ...grant, lastNotAfter: Math.max(notAfter, grant.lastNotAfter) };
}
