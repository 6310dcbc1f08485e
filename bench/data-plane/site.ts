import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import type { Authority } from '../../control/ca/index.ts';
import { mtlsClientOptions, type Svid, svidKeyPem, writeOwnerOnly } from '../../core/identity/index.ts';
import { clusterSan, formatSpiffeId } from '../../core/model/index.ts';
import { certificatesToPem } from '../../core/pki/index.ts';
import { native, nativeTypeUrls } from '../../core/xds/index.ts';
import { cluster, issue, openBenchAuthority, trustDomain, withFolder } from '../bench-pki.ts';
import { type Backends, startBackends } from './backends.ts';
import type { GatewayBrief, GatewayUnderTest } from './contract.ts';
import { envoyBootstrap } from './envoy-config.ts';
import { findEnvoy, startEnvoy } from './start-envoy.ts';
import { startGatewayProcess } from './start-gateway.ts';

const host = 'orders.shop.mesh.internal';
const terminateSni = `outbound_.80_.gateway_.${host}`;
const passthroughSni = `outbound_.80_._.${host}`;

/** The gateways under test, side by side, before the same backends, and how a caller reaches what is behind them. */
export interface DataPlaneSite {
  readonly ours: GatewayUnderTest;
  /** Undefined: no Envoy on this machine. */
  readonly envoy: GatewayUnderTest | undefined;
  readonly host: string;
  readonly terminate: ConnectionOptions;
  readonly passthrough: ConnectionOptions;
}

/** Everything is stopped when `work` has settled. */
export function withDataPlanes<T>(work: (site: DataPlaneSite) => Promise<T>): Promise<T> {
  return withFolder(async (dir) => {
    const authority = await openBenchAuthority(dir);
    const bundle = authority.bundle();
    const [caller, workload, gateway] = ['caller', 'orders', 'gateway'].map((name) => issue(authority, 'shop', name)) as [Svid, Svid, Svid];
    const backends = await startBackends(workload, bundle);
    const stops: (() => Promise<void>)[] = [];
    try {
      const ours = await startGatewayProcess(briefOf(authority, gateway, backends));
      stops.push(ours.stop);
      const binary = await findEnvoy();
      const envoy =
        binary === undefined
          ? undefined
          : await startEnvoy(binary, dir, envoyBootstrap(await envoySite(dir, authority, gateway, backends)));
      if (envoy !== undefined) stops.push(envoy.stop);
      const to = (svid: Svid, sni: string) => {
        const target = { sni, uriSans: [formatSpiffeId(svid.spiffeId)], clusterSan: clusterSan(cluster, trustDomain) };
        return mtlsClientOptions(caller, bundle, target, Date.now);
      };
      return await work({ ours, envoy, host, terminate: to(gateway, terminateSni), passthrough: to(workload, passthroughSni) });
    } finally {
      await Promise.all(stops.map((stop) => stop()));
      backends.stop();
    }
  });
}

async function envoySite(dir: string, authority: Authority, gateway: Svid, { appPort, echoPort }: Backends) {
  const files = { chain: join(dir, 'chain.pem'), key: join(dir, 'key.pem'), roots: join(dir, 'roots.pem') };
  await writeOwnerOnly(files.chain, gateway.chainPem);
  await writeOwnerOnly(files.key, svidKeyPem(gateway));
  await writeOwnerOnly(files.roots, certificatesToPem(authority.bundle().roots));
  return { files, trustDomain, terminateSni, passthroughSni, appPort, echoPort };
}

function briefOf(authority: Authority, gateway: Svid, { appPort, echoPort }: Backends): GatewayBrief {
  const { roots, intermediates } = authority.bundle();
  const base64 = (der: Uint8Array) => Buffer.from(der).toString('base64');
  return {
    cluster,
    keyPem: svidKeyPem(gateway),
    chain: gateway.chainDer.map(base64),
    trustDomain,
    roots: roots.map(base64),
    intermediates: intermediates.map((each) => ({ cluster: each.cluster, certificate: base64(each.certificate) })),
    resources: resourcesFor(appPort, echoPort),
  };
}

/** As the control plane's snapshot for a gateway would hold them. */
function resourcesFor(appPort: number, echoPort: number): GatewayBrief['resources'] {
  const clusterOf = (subset: string) => `local|80|${subset}|${host}`;
  const facts = { host, namespace: 'shop', service: 'orders', port: 80, protocol: native.Protocol.HTTP };
  const resource = (typeUrl: string, name: string, encoded: { finish(): Uint8Array }) => ({
    typeUrl,
    name,
    value: Buffer.from(encoded.finish()).toString('base64'),
  });
  const route = (name: string, mode: native.Route_Mode, subset: string) =>
    resource(
      nativeTypeUrls.route,
      name,
      native.Route.encode(
        native.Route.fromPartial({ name, mode, clusterName: clusterOf(subset), protocol: native.Protocol.HTTP, authzName: 'shop/orders' }),
      ),
    );
  const backend = (subset: string, port: number) => {
    const name = clusterOf(subset);
    const endpoint = { address: '127.0.0.1', port, weight: 1, cluster, network: 'net-a', runtime: 'vm', instance: `i${port}` };
    const assignment = native.LoadAssignment.fromPartial({ clusterName: name, endpoints: [endpoint] });
    return [
      resource(nativeTypeUrls.cluster, name, native.Cluster.encode(native.Cluster.fromPartial({ ...facts, name }))),
      resource(nativeTypeUrls.loadAssignment, name, native.LoadAssignment.encode(assignment)),
    ];
  };
  const allow = { action: native.AuthzRule_Action.ALLOW, name: 'bench', principals: [`${trustDomain}/*`] };
  const authz = native.Authz.fromPartial({ name: 'shop/orders', rules: [allow] });
  return [
    ...backend('gateway', appPort),
    ...backend('', echoPort),
    resource(nativeTypeUrls.authz, authz.name, native.Authz.encode(authz)),
    route(terminateSni, native.Route_Mode.TERMINATE, 'gateway'),
    route(passthroughSni, native.Route_Mode.PASSTHROUGH, ''),
  ];
}
