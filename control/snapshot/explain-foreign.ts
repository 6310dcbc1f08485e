import type { ExplainStep, Explanation } from '../../core/admin/index.ts';
import { parseWorkloadId } from '../../core/model/index.ts';
import type { Caller } from '../policy/index.ts';
import type { SnapshotInputs } from './inputs.ts';
import type { EndpointIr } from './ir.ts';

type Say = (stage: string, outcome: ExplainStep['outcome'], text: string, details?: readonly string[]) => void;

const next = 'name it in a FederatedTrustDomain of this control plane; isthmus federation list shows those that are known';

/** Roots of it are known, so that somebody of it can be believed. */
function isKnown({ trust }: SnapshotInputs, trustDomain: string): boolean {
  return trust.others?.some((other) => other.trustDomain === trustDomain && other.roots.length > 0) === true;
}

/** A caller that is named by its SPIFFE id, of whom a policy may speak; undefined, and said why: nobody of it comes in. */
export function sayForeignCaller(inputs: SnapshotInputs, src: string, say: Say): Caller | undefined {
  const id = parseWorkloadId(src);
  const own = inputs.trust.trustDomain;
  if (id === undefined) say('identity', 'failed', `${src} is no SPIFFE id of a workload`, ['spiffe://TRUST_DOMAIN/PATH']);
  else if (id.trustDomain === own)
    say('identity', 'failed', `${src} is of this mesh, where callers are known by their service`, [
      'name it as NAMESPACE/NAME or by its instance',
    ]);
  else if (!isKnown(inputs, id.trustDomain))
    say('identity', 'failed', `no bundle of the trust domain ${id.trustDomain} is known here`, [next]);
  else {
    say('identity', 'ok', `caller ${src} of the federated trust domain ${id.trustDomain}`, [
      'it is of no namespace and no cluster of this mesh, whatever its path looks like',
      'how it gets to an end of mTLS here is not known to this mesh',
    ]);
    return { principal: `${id.trustDomain}${id.path}`, namespace: '', cluster: '', foreign: true };
  }
  return undefined;
}

/** Of servers of another trust domain, which decide for themselves; undefined: they are of the mesh. */
export function sayForeignServers(
  inputs: SnapshotInputs,
  tried: readonly EndpointIr[],
  who: Caller,
  say: Say,
): Explanation['verdict'] | undefined {
  const trustDomain = tried.find((e) => e.tls?.trustDomain !== undefined)?.tls?.trustDomain;
  if (trustDomain === undefined) return undefined;
  if (!isKnown(inputs, trustDomain)) {
    say('trust', 'failed', `no bundle of the trust domain ${trustDomain} is known here, so nobody of it is believed`, [next]);
    return 'unreachable';
  }
  say('rule', 'ok', `decided by ${trustDomain}, to which the caller is spiffe://${who.principal}`, [
    'its policies are not known here, and those of this mesh say nothing of its servers',
  ]);
  return 'allowed';
}
