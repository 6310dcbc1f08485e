import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../core/clock.ts';
import type { AttestationPolicySpec, MeshSpec } from '../../core/config/index.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../core/store.ts';
import { createTokenReviewer } from '../../registries/kubernetes/index.ts';
import { type Attestor, type ClosableAttestor, createAttestor, JoinTokenAttestor } from '../ca/index.ts';
import type { ObjectView } from '../objects/index.ts';

export interface AttestorsOptions {
  readonly mesh: Pick<MeshSpec, 'cluster' | 'trustDomain'>;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Who may be asked to prove an identity: join tokens always, and the AttestationPolicies in force. One whose policy stays the same stays, with the
 * keys that it has fetched; a proof that is being judged is judged to its end.
 */
export class Attestors implements Iterable<Attestor> {
  readonly #options: AttestorsOptions;
  readonly #tokens: JoinTokenAttestor;
  #policies: ReadonlyMap<string, { readonly spec: AttestationPolicySpec; readonly attestor: ClosableAttestor }> = new Map();

  constructor(options: AttestorsOptions) {
    this.#options = options;
    const { store, mesh } = options;
    this.#tokens = new JoinTokenAttestor(store, mesh.cluster, mesh.trustDomain);
  }

  *[Symbol.iterator](): Iterator<Attestor> {
    yield this.#tokens;
    for (const { attestor } of this.#policies.values()) yield attestor;
  }

  /** Those of this cluster alone: what others hold is theirs to judge by. */
  apply({ objects }: ObjectView): void {
    const { mesh, store, clock, log } = this.#options;
    const { cluster, trustDomain } = mesh;
    const before = this.#policies;
    const next = new Map<string, { spec: AttestationPolicySpec; attestor: ClosableAttestor }>();
    for (const { object, owner } of objects.values()) {
      if (object.kind !== 'AttestationPolicy' || owner.cluster !== cluster) continue;
      const name = `${object.namespace}/${object.name}`;
      const { spec } = object;
      const known = before.get(name);
      const around = { store, cluster, trustDomain, reviews: createTokenReviewer, clock, log };
      next.set(
        name,
        known !== undefined && isDeepStrictEqual(known.spec, spec) ? known : { spec, attestor: createAttestor(name, spec, around) },
      );
    }
    this.#policies = next;
    for (const [name, { attestor }] of before) if (next.get(name)?.attestor !== attestor) void attestor.close();
  }

  async close(): Promise<void> {
    for (const { attestor } of this.#policies.values()) await attestor.close();
    this.#policies = new Map();
  }
}
