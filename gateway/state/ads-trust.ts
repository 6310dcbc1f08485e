import type { TrustFeed } from '../../core/identity/index.ts';
import type { StateView } from '../context.ts';

/** What ADS says of one trust domain's trust. */
export function adsTrust(state: StateView, trustDomain: string): TrustFeed {
  return { current: () => state.current.bundles.get(trustDomain), subscribe: (listener) => state.subscribe(listener) };
}
