import type { ObtainedIdentity, TrustBundle } from '../../core/identity/index.ts';
import { type StateFeed, trustOf } from '../../gateway/index.ts';
import type { AgentDeps } from '../contract.ts';
import { noSelectors, type OpenIdentity, ownName } from '../identities/index.ts';
import type { AgentOptions } from '../options.ts';
import type { WorkloadIdentity, WorkloadTrust } from '../workload-api/index.ts';

export interface Workloads {
  /** Idempotent. Files stay. */
  close(): Promise<void>;
}

/** What this machine's programs get of its identities: the SPIFFE Workload API, and files. MeshErrors as startWorkloadApi's; what writing files throws. */
export async function openWorkloads(
  options: AgentOptions,
  identity: ObtainedIdentity,
  others: readonly OpenIdentity[],
  feed: StateFeed,
  deps: Required<AgentDeps>,
): Promise<Workloads> {
  const { clock, log, metrics } = deps;
  const identities = [ownIdentity(identity, options), ...others.map(workloadIdentity)];
  const trust = trustFrom(identity, feed);
  const open: Workloads[] = [];
  const close = async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  };
  try {
    for (const files of options.svidFiles) {
      const { keepFiles } = await import('../svid-files/index.ts');
      const of = identities.find(({ name }) => name === files.identity);
      if (of !== undefined) open.push(await keepFiles(files, of, trust, log));
    }
    const api = options.workloadApi;
    if (api !== undefined) {
      // Loaded by whom it is for alone: it brings messages of Envoy's along.
      const { startWorkloadApi } = await import('../workload-api/index.ts');
      open.push(await startWorkloadApi({ socket: api.socket, identities, trust, clock, log, metrics }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

/** Without a word on whose it is, the agent's own identity is for the agent's user and for root, who could read it from disk as well. */
function ownIdentity(source: ObtainedIdentity, { identities }: AgentOptions): WorkloadIdentity {
  const said = identities.find(({ name }) => name === ownName);
  const usual = { ...noSelectors, uid: [...new Set([process.getuid?.() ?? 0, 0])] };
  const signJwt = (audiences: readonly string[]) => source.signJwt(audiences);
  return { name: ownName, source, signJwt, selectors: said?.selectors ?? usual, hint: said?.hint ?? '' };
}

function workloadIdentity({ options: { name, selectors, hint = name }, source }: OpenIdentity): WorkloadIdentity {
  return { name, source, signJwt: (audiences) => source.signJwt(audiences), selectors, hint };
}

/** What came over ADS is the newest; before it there is what came with the identity. */
function trustFrom(identity: ObtainedIdentity, feed: StateFeed): WorkloadTrust {
  return {
    bundles: (): readonly TrustBundle[] => {
      const own = trustOf(feed.store.current, identity.bundle());
      return [own, ...[...feed.store.current.bundles.values()].filter(({ trustDomain }) => trustDomain !== own.trustDomain)];
    },
    subscribe: (listener) => {
      const undo = [feed.store.subscribe(listener), identity.subscribe(listener)];
      return () => {
        for (const end of undo) end();
      };
    },
  };
}
