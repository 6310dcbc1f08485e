import type { Clock } from '../../../../core/clock.ts';
import { type AttestationPolicySpec, attestationAudience, type KubernetesAttestor } from '../../../../core/config/index.ts';
import type { Log } from '../../../../core/log.ts';
import type { Store } from '../../../../core/store.ts';
import { AwsProver } from '../aws/index.ts';
import type { Attestor } from '../contract.ts';
import { KubernetesProver, type ReviewTokens } from '../kubernetes/index.ts';
import { NomadProver } from '../nomad/index.ts';
import { OidcProver } from '../oidc/index.ts';
import type { Prover } from '../prover.ts';
import type { ProverContext } from '../prover-context.ts';
import { X509Prover } from '../x509/index.ts';
import { PolicyAttestor } from './policy-attestor.ts';

export interface AttestorSurroundings {
  readonly store: Store;
  readonly cluster: string;
  readonly trustDomain: string;
  /** Asks the Kubernetes API of a policy. */
  readonly reviews: (spec: KubernetesAttestor) => ReviewTokens;
  readonly clock: Clock;
  readonly log: Log;
}

/** An attestor that is to be let go of. */
export type ClosableAttestor = Attestor & { close(): Promise<void> };

/** `name`: NAMESPACE/NAME of the AttestationPolicy. Connects to nobody before a proof comes. */
export function createAttestor(name: string, spec: AttestationPolicySpec, around: AttestorSurroundings): ClosableAttestor {
  const { store, cluster, trustDomain, clock, log } = around;
  const context = { policy: name, audience: attestationAudience(trustDomain, cluster), store, clock, log };
  return new PolicyAttestor({ name, spec, prover: proverOf(spec, context, around), store, cluster, trustDomain });
}

function proverOf({ attestor }: AttestationPolicySpec, context: ProverContext, { reviews }: AttestorSurroundings): Prover {
  switch (attestor.type) {
    case 'oidc':
      return new OidcProver(attestor, context);
    case 'nomad':
      return new NomadProver(attestor, context);
    case 'kubernetes':
      return new KubernetesProver(attestor, context, reviews(attestor));
    case 'aws':
      return new AwsProver(attestor, context);
    case 'x509':
      return new X509Prover(attestor, context);
  }
}
