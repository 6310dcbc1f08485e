import type { TrustBundle } from '../pki/index.ts';
import type { SvidSource } from './svid.ts';

/** Where newer trust is heard of: what came over ADS. */
export interface TrustFeed {
  /** Undefined: nothing yet. */
  current(): TrustBundle | undefined;
  subscribe(listener: () => void): () => void;
}

/** An identity that learns; ObtainedIdentity is one. */
export interface TrustLearner extends SvidSource {
  /** Durable before it is used; nothing when it says what is known. Never rejects. */
  learn(bundle: TrustBundle): Promise<void>;
}

/**
 * Hands what ADS says of the trust domain to the identity, now and after each change: so connections to the control plane trust what the data
 * plane trusts, over a restart too. Returns what ends it.
 */
export function followTrust(identity: TrustLearner, feed: TrustFeed): () => void {
  let last: TrustBundle | undefined;
  const look = () => {
    const bundle = feed.current();
    if (bundle === undefined || bundle === last) return;
    last = bundle;
    void identity.learn(bundle);
  };
  look();
  return feed.subscribe(look);
}

/** Calls `listener` when the SVID is another one, and not when only trust has changed. Returns its undoing. */
export function onRenewal(source: SvidSource, listener: () => void): () => void {
  let serial = source.current().serial;
  return source.subscribe(() => {
    if (source.current().serial === serial) return;
    serial = source.current().serial;
    listener();
  });
}
