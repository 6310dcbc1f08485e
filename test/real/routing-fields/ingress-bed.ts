import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import type { MergedService } from '../../../control/catalog/index.ts';
import { callerPolicies } from '../../../control/policy/index.ts';
import { createTrafficCompiler } from '../../../control/routing/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import { viewOf } from '../../support/catalog-view.ts';
import { EnvoyMesh, refusedUpdates } from '../../support/envoy-mesh.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { until } from '../../support/until.ts';
import type { RunningEnvoy } from '../servers/index.ts';
import { type ProxyName, proxyNames } from './bed.ts';
import { startOwnIngress } from './own-proxy.ts';

const hostSuffix = 'mesh.internal';

/** Gateways select one proxy by `proxy`, or, where they are the Gateway API's, by being called `front-PROXY`. */
function ingressOf(proxy: ProxyName) {
  const labels = { istio: 'ingress', proxy, 'gateway.networking.k8s.io/gateway-name': `front-${proxy}` };
  return { namespace: 'isthmus-system', serviceAccount: 'ingress', labels, network: 'east-net', locality: 'r1/z1/s1' };
}

/** A control plane with neither registries nor stores, and two ingress gateways of it: our own proxy and Envoy. */
export class IngressBed {
  readonly pki = new MeshPki();
  readonly #t: TestContext;
  readonly #mesh: EnvoyMesh;
  #envoy: RunningEnvoy | undefined;

  constructor(t: TestContext) {
    this.#t = t;
    this.#mesh = new EnvoyMesh(t, this.pki);
  }

  /** Until both have all of it, and take connections on `ports`. */
  async start(services: readonly MergedService[], objects: readonly TrafficObject[], ports: readonly number[]): Promise<void> {
    await this.#mesh.start();
    const view = viewOf(services);
    const intermediates = [{ cluster: 'east', certificate: this.pki.cluster('east').certificate.der }];
    this.#mesh.update({
      view,
      hostSuffix,
      trust: { trustDomain: this.pki.trustDomain, roots: this.pki.bundle.roots, intermediates, deniedSerials: [] },
      policies: callerPolicies({ cluster: 'east', trustDomain: this.pki.trustDomain, exports: [], peers: new Map() }),
      traffic: createTrafficCompiler({ hostSuffix }).update(objects, view),
      gatewayPorts: [],
      originateCidrs: [],
    });
    const { serviceAccount, ...node } = ingressOf('envoy');
    const [envoy] = await Promise.all([
      this.#mesh.envoy(serviceAccount, { ...node, kind: 'ingress' }),
      startOwnIngress(this.#t, this.#mesh, ingressOf('isthmus')),
    ]);
    this.#envoy = envoy;
    await until('both gateways to have all', () => {
      const clients = this.#mesh.xds.clients();
      return clients.length === proxyNames.length && clients.every(({ current, types }) => current && types.length > 3);
    });
    for (const port of ports) await until(`port ${port} to be open`, () => isOpen(port));
  }

  /** What either of them has refused since it was started. */
  async refused(): Promise<readonly string[]> {
    const clients = this.#mesh.xds.clients();
    const nacks = clients.flatMap(({ id, lastNack }) => (lastNack === undefined ? [] : [`${id}: ${JSON.stringify(lastNack)}`]));
    const counted = this.#envoy === undefined ? 0 : await refusedUpdates(this.#envoy);
    return counted > 0 && nacks.length === 0 ? [`Envoy: ${counted}`] : nacks;
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
  });
}
