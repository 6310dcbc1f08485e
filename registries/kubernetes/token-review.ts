import type { KubernetesConnection } from '../../core/config/index.ts';
import { toMeshError } from '../../core/errors.ts';
import { KubernetesClient, refusal } from './client.ts';
import { KubernetesAccess } from './config.ts';
import { fieldsIn, fieldsOf, flagIn, listIn, textIn } from './fields.ts';

/** What an API server says of a token (authentication.k8s.io/v1, TokenReview). */
export type TokenReview =
  | {
      readonly kind: 'authenticated';
      readonly username: string;
      readonly uid: string;
      readonly groups: readonly string[];
      /** Lists by name, such as `authentication.kubernetes.io/pod-uid`. */
      readonly extra: Readonly<Record<string, readonly string[]>>;
      /** Those of the ones asked for that the token is for. */
      readonly audiences: readonly string[];
    }
  /** `reason` is the server's own. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It could not be asked, or may not be by us. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface TokenReviewer {
  /** Never throws; ends within some seconds. `audiences`: the token must be for one of them. */
  review(token: string, audiences: readonly string[]): Promise<TokenReview>;
  /** Requests under way are cut off. Idempotent. */
  close(): Promise<void>;
}

const path = '/apis/authentication.k8s.io/v1/tokenreviews';
const limits = { maxBodyBytes: 256 * 1024, answerTimeoutMs: 5_000 };

/** Over one Kubernetes API; connects when asked. Its user must be let create tokenreviews (ClusterRole system:auth-delegator). */
export function createTokenReviewer(connection: Omit<KubernetesConnection, 'type' | 'namespaces'>): TokenReviewer {
  const client = new KubernetesClient(new KubernetesAccess({ ...connection, type: 'kubernetes', namespaces: [] }), limits);
  const stop = new AbortController();
  return {
    async review(token, audiences) {
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } };
      try {
        const answer = await client.send('POST', path, { body }, stop.signal);
        if (answer.status !== 200 && answer.status !== 201) return { kind: 'unavailable', reason: refusal('POST', path, answer).message };
        return reviewOf(fieldsIn(fieldsOf(answer.body), 'status'));
      } catch (error) {
        return { kind: 'unavailable', reason: toMeshError(error).message };
      }
    },
    async close() {
      stop.abort();
      await client.close();
    },
  };
}

function reviewOf(status: Readonly<Record<string, unknown>>): TokenReview {
  if (flagIn(status, 'authenticated') !== true)
    return { kind: 'refused', reason: textIn(status, 'error').slice(0, 300) || 'the token is not authenticated' };
  const user = fieldsIn(status, 'user');
  const texts = (list: readonly unknown[]) => list.filter((each): each is string => typeof each === 'string');
  const extra = fieldsIn(user, 'extra');
  return {
    kind: 'authenticated',
    username: textIn(user, 'username'),
    uid: textIn(user, 'uid'),
    groups: texts(listIn(user, 'groups')),
    extra: Object.fromEntries(Object.keys(extra).map((name) => [name, texts(listIn(extra, name))])),
    audiences: texts(listIn(status, 'audiences')),
  };
}
