import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { DialectContext, FindResource } from '../../../control/snapshot/dialect.ts';
import { grpcDialect } from '../../../control/snapshot/grpc/index.ts';
import { planCallers } from '../../../control/snapshot/grpc/rbac.ts';
import { seal } from '../../../control/snapshot/seal.ts';
import { type AuthzRule, authorize } from '../../../core/authz/index.ts';
import { networkId } from '../../../core/model/index.ts';
import { Listener } from '../../../core/xds/gen/envoy/config/listener/v3/listener.ts';
import { RBAC } from '../../../core/xds/gen/envoy/config/rbac/v3/rbac.ts';
import { HttpConnectionManager } from '../../../core/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { DownstreamTlsContext } from '../../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { buildGrpcBootstrap } from '../../../core/xds/grpc/index.ts';
import { noClaims } from '../../../core/xds/index.ts';
import { decodeAs, rbacAllows, readBootstrap } from '../../support/grpc-oracle.ts';

const anchors = ['east', 'west'];
const context: DialectContext = {
  client: { kind: 'agent', network: networkId('a') },
  trustDomain: 'mesh.test',
  hostSuffix: 'mesh.internal',
  cluster: 'east',
  anchors,
};
const inbound = { namespace: 'shop', name: 'orders', port: 8080, protocol: 'grpc', address: '0.0.0.0', target: 50051 } as const;
const bootstrap = readBootstrap(
  buildGrpcBootstrap({
    identity: { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'orders' },
    instance: 'orders-1',
    network: 'a',
    locality: '',
    inbound: [inbound],
    anchors,
    certificates: '/c',
    xdsSocket: '/c/xds.sock',
  }),
);

const rule = (more: Partial<AuthzRule>): AuthzRule => ({
  action: 'allow',
  name: 'r',
  principals: [],
  namespaces: [],
  clusters: [],
  ...more,
});

const identity = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'orders' };

function listenerFor(rules: readonly AuthzRule[] | undefined) {
  const authz = rules === undefined ? undefined : seal('authz', 'shop/orders', { rules });
  const find = ((kind: string, name: string) => (kind === 'authz' && name === 'shop/orders' ? authz : undefined)) as FindResource;
  const claims = { ...noClaims, inbound: { address: '0.0.0.0', port: 15006, services: [inbound] } };
  const [resource, ...more] = grpcDialect.personal?.(claims, find, context, identity) ?? [];
  assert.ok(resource);
  assert.deepEqual(more, []);
  return resource;
}

function tlsOf(listener: Listener) {
  const socket = listener.defaultFilterChain?.transportSocket?.configType;
  assert.equal(socket?.$case, 'typedConfig');
  return DownstreamTlsContext.decode(socket.value.value);
}

const anchorOf = (listener: Listener) => {
  const context_ = tlsOf(listener).commonTlsContext?.validationContextType;
  assert.equal(context_?.$case, 'validationContext');
  return context_.value.caCertificateProviderInstance?.instanceName;
};

describe('the Listener of a proxyless server', () => {
  it('is taken by grpc-js-xds under the name that its bootstrap asks for, and lets in whoever proves an identity only', () => {
    const resource = listenerFor([rule({ clusters: ['east'] })]);
    const { error, name } = decodeAs(bootstrap, resource);
    assert.equal(error, undefined);
    assert.equal(name, bootstrap.serverListenerResourceNameTemplate?.replace('%s', '0.0.0.0:50051'));
    const tls = tlsOf(Listener.decode(resource.value));
    assert.equal(tls.requireClientCertificate, true);
    assert.equal(tls.commonTlsContext?.tlsCertificateProviderInstance?.instanceName, 'identity');
  });

  it('has its RBAC filter first and never optional: a server that does not know it has to refuse the Listener', () => {
    const { defaultFilterChain } = Listener.decode(listenerFor([rule({ clusters: ['east'] })]).value);
    const http = defaultFilterChain?.filters[0]?.configType;
    assert.equal(http?.$case, 'typedConfig');
    const { httpFilters } = HttpConnectionManager.decode(http.value.value);
    assert.deepEqual(
      httpFilters.map((f) => [f.name, f.isOptional]),
      [
        ['callers', false],
        ['router', false],
      ],
    );
  });

  it('trusts the one cluster that has callers, all where all have some', () => {
    const of = (...rules: AuthzRule[]) => anchorOf(Listener.decode(listenerFor(rules).value));
    assert.equal(of(rule({ clusters: ['east'] })), 'anchor-east');
    assert.equal(of(rule({ clusters: ['west'] })), 'anchor-west');
    assert.equal(of(rule({ clusters: ['east'] }), rule({ clusters: ['west'], namespaces: ['shop'] })), 'anchors');
    assert.equal(of(rule({ principals: ['mesh.test/ns/shop/sa/web'] })), 'anchors');
  });

  it('lets nobody in where no policy is known', () => {
    assert.equal(decodeAs(bootstrap, listenerFor(undefined)).error, undefined);
    assert.deepEqual(planCallers([], anchors, 'east', 'mesh.test'), { clusters: [], policies: {} });
    assert.equal(rbacAllows({ action: 'ALLOW', policies: {} }, 'URI:spiffe://mesh.test/ns/shop/sa/web'), false);
  });
});

const namespaces = ['shop', 'shopping', 'pay', 'sa'];
const accounts = ['web', 'web-2'];
const anyPrincipal = fc.constantFrom('mesh.test/ns/shop/sa/web', 'mesh.test/ns/shop/*', '*/sa/web', '*', 'mesh.test/ns/pay/sa/web-2', '');
const anyNamespace = fc.constantFrom('shop', 'shop*', '*ing', '*s', '*a', '*', 'pay');
const list = <T>(of: fc.Arbitrary<T>) => fc.array(of, { maxLength: 2 });
const anyMatch = fc.record({
  principals: list(anyPrincipal),
  namespaces: list(anyNamespace),
  clusters: list(fc.constantFrom('east', 'west', 'we*', '*')),
  notPrincipals: list(anyPrincipal),
  notNamespaces: list(anyNamespace),
});
const anyRule: fc.Arbitrary<AuthzRule> = fc
  .tuple(fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const), anyMatch, list(anyMatch))
  .map(([action, { principals, namespaces: ns, clusters }, also]) => ({
    action,
    name: 'r',
    principals,
    namespaces: ns,
    clusters,
    ...(also.length > 0 ? { also } : {}),
  }));

/** As grpc-js-xds gets it: over the wire, enums and oneofs as its own loader has them. */
function overTheWire(policies: ReturnType<typeof planCallers>['policies']): unknown {
  const rbac = RBAC.decode(RBAC.encode(RBAC.create({ policies })).finish());
  return { action: 'ALLOW', policies: snake(rbac.policies) };
}

function snake(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snake);
  if (typeof value !== 'object' || value === null) return value;
  const { $case, value: inner } = value as { $case?: string; value?: unknown };
  if ($case !== undefined) return { [under($case)]: snake(inner) };
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) => {
      const oneOf = ['rule', 'identifier', 'matchPattern'].includes(key) && each !== undefined;
      if (!oneOf) return [[under(key), snake(each)]];
      return [[under(key), under((each as { $case: string }).$case)], ...Object.entries(snake(each) as object)];
    }),
  );
}

const under = (name: string) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

it('lets in nobody whom the rules refuse, from whichever cluster it trusts; exactly those whom they let in, where it trusts one', () => {
  let both = 0;
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 4 }), (rules) => {
      const { clusters, policies } = planCallers(rules, anchors, 'east', 'mesh.test');
      const rbac = overTheWire(policies);
      for (const namespace of namespaces) {
        for (const account of accounts) {
          const principal = `mesh.test/ns/${namespace}/sa/${account}`;
          const allowed = rbacAllows(rbac, `URI:spiffe://${principal}, DNS:west.cluster.mesh.test`);
          const byRules = clusters.map((cluster) => authorize(rules, { principal, namespace, cluster }).allowed);
          if (allowed) assert.ok(byRules.every(Boolean), principal);
          if (clusters.length === 1) assert.equal(allowed, byRules[0], principal);
          if (clusters.length === 2 && allowed) both++;
        }
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(both > 0, 'callers of two clusters were let in at times');
});
