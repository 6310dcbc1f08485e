import { until } from '../../support/until.ts';
import type { KubernetesApi } from './kubernetes-api.ts';

interface Right {
  /** NAMESPACE/NAME of a service account. */
  readonly account: string;
  readonly verb: string;
  /** In every namespace. */
  readonly resource: { readonly group?: string; readonly name: string };
}

/** An API server that has stored a role or a binding acts on it a moment later: it is told of both by watches of its own. */
export async function untilMay(api: KubernetesApi, right: Right): Promise<void> {
  await until(`${right.account} to have the right to ${right.verb} ${right.resource.name}`, () => may(api, right));
}

/** Of a right that was taken away. */
export async function untilMayNot(api: KubernetesApi, right: Right): Promise<void> {
  await until(`${right.account} to lose the right to ${right.verb} ${right.resource.name}`, async () => !(await may(api, right)));
}

async function may(api: KubernetesApi, { account, verb, resource }: Right): Promise<boolean> {
  const user = `system:serviceaccount:${account.replace('/', ':')}`;
  const resourceAttributes = { verb, group: resource.group ?? '', resource: resource.name };
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { user, resourceAttributes } };
  const { body } = await api.call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', review);
  return (JSON.parse(body) as { status: { allowed: boolean } }).status.allowed;
}
