import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { attestationAudience } from '../../core/config/index.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { cel } from '../support/attest/attestor-scene.ts';
import { joinByProof } from '../support/attest/join-by-proof.ts';
import { temporaryDir } from '../support/control-plane.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { json } from '../support/object-scene.ts';
import { onEnd } from '../support/on-end.ts';
import { RealControl } from '../support/real-control.ts';
import { until } from '../support/until.ts';
import { type RunningKubernetes, startKubernetes } from './servers/index.ts';

let kubernetes: RunningKubernetes;
before(async () => {
  kubernetes = await startKubernetes();
});
after(() => kubernetes?.stop());

const audience = attestationAudience('mesh.test', 'east');
const namespace = { namespace: 'shop' };

/** As the kubelet asks for what it projects into a pod. */
async function projected(pod: string, spec: object = { audiences: [audience] }): Promise<string> {
  const found = await kubernetes.api.get(`/api/v1/namespaces/shop/pods/${pod}`);
  const uid = String((found as { metadata?: { uid?: string } } | undefined)?.metadata?.uid);
  const bound = { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod, uid }, expirationSeconds: 600, ...spec };
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: bound };
  const reply = await kubernetes.api.call('POST', '/api/v1/namespaces/shop/serviceaccounts/orders/token', body);
  return (JSON.parse(reply.body) as { status: { token: string } }).status.token;
}

/** What the API server says of a token for us. */
async function isVouchedFor(token: string): Promise<boolean> {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences: [audience] } };
  const reply = await kubernetes.api.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review);
  return (JSON.parse(reply.body) as { status: { authenticated?: boolean } }).status.authenticated === true;
}

test('a pod becomes what its service account, as its API server vouches for it, is let to be', async (t) => {
  await kubernetes.api.ensureNamespace('shop');
  for (const name of ['orders-0', 'orders-1', 'orders-2']) {
    await kubernetes.api.writePod({
      ...namespace,
      name,
      labels: { app: 'orders' },
      ip: '192.0.2.10',
      serviceAccount: 'orders',
      ready: true,
    });
  }
  const dir = await temporaryDir(t);
  const policy = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'AttestationPolicy',
    metadata: { name: 'pods', namespace: 'shop' },
    spec: {
      attestor: { type: 'kubernetes', kubeconfig: kubernetes.kubeconfig },
      rules: [
        {
          name: 'orders',
          when: "claims.namespace == 'shop' && claims.pod.name.startsWith('orders-')",
          grant: { serviceAccount: cel('claims.serviceAccount.name'), services: [{ name: 'orders', ports: [8080] }] },
        },
      ],
    },
  };
  const east = await RealControl.make(join(dir, 'east'), 'east', JSON.stringify(policy), {
    grpc: { listen: `127.0.0.1:${await deadPort()}` },
  });
  onEnd(t, () => east.stop());
  await east.start();
  const { token } = json<{ token: string }>(await east.cli('vm', 'token', '--attestor', 'shop/pods', '--output', 'json'));
  const file = join(dir, 'token');
  const show = async (proof: string, instance: string) => {
    await writeFile(file, proof);
    return joinByProof(t, { token, proof: { file }, instance }).then(
      (identity) => formatSpiffeId(identity.current().spiffeId),
      (error: { code: string }) => error.code,
    );
  };
  const first = await projected('orders-0');
  assert.equal(await show(first, 'orders-0'), 'spiffe://mesh.test/ns/shop/sa/orders');
  assert.equal(await show(first, 'orders-0'), 'IDENTITY_INVALID', 'another machine has another key');
  assert.equal(
    await show(await projected('orders-1', { audiences: [attestationAudience('mesh.test', 'west')] }), 'orders-1'),
    'IDENTITY_INVALID',
  );
  assert.equal(await show(await projected('orders-1', {}), 'orders-1'), 'IDENTITY_INVALID', 'a token for the API server is none for us');
  const forged = await projected('orders-1');
  assert.equal(await show(`${forged.slice(0, -40)}${forged.slice(-20)}${forged.slice(-40, -20)}`, 'orders-1'), 'IDENTITY_INVALID');
  const [late, another] = [await projected('orders-2'), await projected('orders-2')];
  assert.ok(late !== another && (await isVouchedFor(another)));
  await kubernetes.api.remove('/api/v1/namespaces/shop/pods/orders-2');
  // It hears of the end of a pod by a watch of its own, and goes by what it has said of a token for 10 s: that is asked with another.
  await until('the API server to know that the pod is gone', async () => !(await isVouchedFor(another)));
  assert.equal(await show(late, 'orders-2'), 'IDENTITY_INVALID', 'its pod is gone');
  assert.equal(await show(await projected('orders-1'), 'orders-1'), 'spiffe://mesh.test/ns/shop/sa/orders');
  const counted = await east.metrics();
  for (const [reason, times] of [
    ['replayed', 1],
    ['wrong-audience', 2],
    ['issuer-refused', 2],
  ] as const) {
    assert.match(counted, new RegExp(`isthmus_refusals_total\\{what="attestation",reason="${reason}",isthmus_cluster="east"\\} ${times}`));
  }
});
