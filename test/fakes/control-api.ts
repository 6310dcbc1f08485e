import type { Changed, ControlApi } from '../../control/admin/index.ts';
import type { Drift, Instance, JoinTokenRequest, MtlsStatus, RevokeRequest, Status, Traffic } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';

/** A control plane that only says what a test put in, and remembers what it was asked to change. */
export class FakeControlApi implements ControlApi {
  status_: Status = sampleStatus();
  drift_: Drift = sampleDrift();
  readonly calls: string[] = [];
  failure: MeshError | undefined;

  async status() {
    return this.status_;
  }

  async explain(src: string, dst: string) {
    if (dst === 'default/missing') throw new MeshError('NOT_FOUND', `no service ${dst}`);
    return {
      src,
      dst,
      verdict: 'allowed' as const,
      summary: `${src} reaches ${dst} through a gateway of pods`,
      steps: [
        { stage: 'name', outcome: 'ok' as const, text: 'payments.default.mesh.internal is default/payments', details: [] },
        { stage: 'network', outcome: 'ok' as const, text: 'from vms to pods: not direct', details: ['vms ≠ pods'] },
        {
          stage: 'gateway',
          outcome: 'warning' as const,
          text: '1 of 2 gateways of pods answers',
          details: ['10.0.0.7:15443 healthy', '10.0.0.8:15443 unhealthy'],
        },
        { stage: 'rule', outcome: 'ok' as const, text: 'allowed by west-may-call', details: ['cluster west, any principal'] },
      ],
    };
  }

  async instances(): Promise<readonly Instance[]> {
    return [instance('vm-1', 'default'), instance('vm-2', 'billing')];
  }

  async traffic(): Promise<Traffic> {
    return { since: '2030-01-01T00:00:00.000Z', until: '2030-01-01T01:00:00.000Z', seconds: 3600, reporters: 0, foldedKeys: 0, flows: [] };
  }

  async mtls(service: string | undefined): Promise<MtlsStatus> {
    const ports = sampleMtls().ports.filter((each) => service === undefined || each.service === service);
    return { ports };
  }

  async drift(): Promise<Drift> {
    return this.drift_;
  }

  async peers() {
    return this.status_.peers;
  }

  async uninstallPlan() {
    return {
      steps: [{ where: 'consul/dc1', action: 'deregister', subjects: ['payments-mesh'] }],
      warnings: ['2 callers without a sidecar'],
    };
  }

  async createToken(request: JoinTokenRequest) {
    const id = '00112233aabbccdd';
    const token = `isthmus-join-v1.${Buffer.from('a join token that nobody may log').toString('base64url')}`;
    const value = {
      token,
      id,
      spiffeId: `spiffe://mesh.test/ns/default/sa/${request.service?.split('/')[1]}`,
      expiresAt: '2030-01-01T00:00:00.000Z',
      maxUses: request.maxUses,
    };
    return this.#change('createToken', value, { subject: `token/${id}`, after: { token, service: request.service } });
  }

  async attestorToken(attestor: string) {
    return { token: 'isthmus-join-v1.W10', attestor, type: 'oidc' };
  }

  async invitePeer(ttlMs: number) {
    const token = `isthmus-peer-v1.${Buffer.from('an invitation nobody may log').toString('base64url')}`;
    return this.#change(
      `invitePeer ${ttlMs}`,
      { id: 'i1', token, expiresAt: '2030-01-01T00:15:00.000Z' },
      { subject: 'invite/i1', after: {} },
    );
  }

  async joinPeer() {
    return this.#change(
      'joinPeer',
      { cluster: 'west', trustDomain: 'mesh.test', state: 'joined' as const },
      { subject: 'peer/west', after: {} },
    );
  }

  async removePeer(cluster: string) {
    if (cluster !== 'west') throw new MeshError('NOT_FOUND', `${cluster} is not a peer of this cluster`);
    return this.#change(`removePeer ${cluster}`, { cluster, services: 2, endpoints: 3 }, { subject: `peer/${cluster}`, before: {} });
  }

  async uninstall() {
    return this.#change('uninstall', { removed: 4, conflicts: [] }, { subject: 'registry/consul', before: { records: 4 } });
  }

  async signIntermediate() {
    const value = { certificate: '-----BEGIN CERTIFICATE-----\n', roots: [], notAfter: '2030-01-01T00:00:00.000Z' };
    return this.#change('signIntermediate', value, { subject: 'intermediate/west', after: {} });
  }

  readonly revocations = {
    namespaces: async () => ['default'],
    revoke: async ({ target = '' }: RevokeRequest) => {
      const value = { dryRun: false, already: false, instances: [], serials: ['0a'], registrations: 1, openTokens: [] };
      return this.#change(`revoke ${target}`, value, { subject: `instance/${target}`, before: {} });
    },
    status: async () => ({ denied: 1, laggards: [], proxyless: [] }),
  };

  async #change<T>(call: string, value: T, difference: Changed<T>['diff'][number]): Promise<Changed<T>> {
    if (this.failure !== undefined) throw this.failure;
    this.calls.push(call);
    return { value, diff: [difference] };
  }
}

function instance(id: string, namespace: string): Instance {
  return {
    id,
    role: 'workload',
    namespace,
    spiffeId: `spiffe://mesh.test/ns/${namespace}/sa/app`,
    network: 'vms',
    addresses: ['10.1.0.4'],
    services: [`${namespace}/app`],
    generation: 3,
    stage: 'healthy',
    stages: [],
    ageMs: 1200,
    grant: 'a1',
    attestor: 'join-token',
  };
}

const group = { network: 'pods', unhealthy: 0, draining: 0, stale: 0 };

export function sampleStatus(): Status {
  return {
    cluster: 'east',
    trustDomain: 'mesh.test',
    network: 'vms',
    version: '0.1.0',
    time: '2030-01-01T00:00:00.000Z',
    partial: false,
    sources: [
      { cluster: 'east', source: 'consul/dc1', runtime: 'consul', state: 'live', ageMs: 900, services: 1, endpoints: 2 },
      { cluster: 'east', source: 'vm', runtime: 'vm', state: 'live', ageMs: 0, services: 1, endpoints: 1 },
      {
        cluster: 'west',
        source: 'kubernetes',
        runtime: 'kubernetes',
        state: 'stale',
        ageMs: 75_000,
        services: 1,
        endpoints: 2,
        error: 'peer west is lost',
      },
      { cluster: 'west', source: 'nomad', runtime: 'nomad', state: 'unknown', ageMs: null, services: 0, endpoints: 0 },
    ],
    services: [
      {
        namespace: 'billing',
        name: 'orders',
        hosts: ['orders.billing.mesh.internal'],
        ports: [{ name: 'http', port: 80, protocol: 'http' }],
        audience: ['*'],
        endpoints: [{ ...group, cluster: 'east', runtime: 'vm', source: 'vm', network: 'vms', healthy: 1 }],
      },
      {
        namespace: 'default',
        name: 'payments',
        hosts: ['payments.default.mesh.internal'],
        ports: [
          { name: 'http', port: 8080, protocol: 'http' },
          { name: 'grpc', port: 9090, protocol: 'grpc' },
        ],
        audience: [],
        endpoints: [
          { ...group, cluster: 'west', runtime: 'kubernetes', source: 'kubernetes', healthy: 1, unhealthy: 1, stale: 2 },
          { ...group, cluster: 'east', runtime: 'consul', source: 'consul/dc1', network: 'vms', healthy: 2, draining: 1 },
        ],
      },
    ],
    peers: [
      {
        cluster: 'west',
        state: 'lost',
        dialledBy: 'nobody',
        dataAgeMs: 75_000,
        addresses: ['192.0.2.1:15012'],
        version: '0.1.0',
        error: 'connection refused',
      },
    ],
    gateways: [
      {
        ...{ cluster: 'east', network: 'vms', instance: 'gw-2', addresses: ['192.0.2.8'], port: 15443, healthy: true, draining: false },
        engine: 'native',
      },
      { cluster: 'west', network: 'pods', instance: 'gw-1', addresses: ['192.0.2.7'], port: 15443, healthy: true, draining: false },
    ],
    clients: [
      {
        instance: 'vm-1',
        role: 'workload',
        identity: 'spiffe://mesh.test/ns/billing/sa/orders',
        network: 'vms',
        connected: true,
        dataAgeMs: 12_000,
        dialect: 'native',
        engine: 'native',
        ageMs: 1500,
        resources: 12,
        refused: [{ type: 'Listener', name: 'orders.billing.mesh.internal', version: '7', reason: 'port 80 is taken' }],
      },
    ],
    certificates: [{ name: 'east', kind: 'intermediate', notAfter: '2030-03-01T00:00:00.000Z', state: 'ok' }],
    conflicts: [{ kind: 'NameCollision', subject: 'default/payments', message: 'consul/dc1 and file do not both claim it' }],
    drift: { state: 'drift', differing: 2, unknown: 1, conflicts: 1 },
    findings: {
      errors: 1,
      warnings: 6,
      first: [
        {
          severity: 'error',
          code: 'dangling-reference',
          object: 'VirtualService shop/reviews',
          path: 'spec.http[0].route[0].destination.host',
          message: 'no service answers to reviewz',
        },
      ],
    },
    configViolations: [],
  };
}

export function sampleDrift(): Drift {
  const since = '2029-12-31T23:58:00.000Z';
  const pair = { objects: 3, ownerObjects: 3, revision: 1_893_455_000_000, ownerRevision: 1_893_455_000_000, differing: 0 };
  const object = { group: 'networking.istio.io', namespace: 'shop', count: 1, since };
  const names = { group: 'networking.istio.io', kind: 'DestinationRule', namespace: 'shop', name: 'cart' };
  return {
    cluster: 'east',
    time: '2030-01-01T00:00:00.000Z',
    state: 'drift',
    pairs: [
      { ...pair, owner: 'east', cluster: 'north', state: 'drift', differing: 2, since, why: '', next: '' },
      {
        ...pair,
        owner: 'east',
        cluster: 'west',
        state: 'unknown',
        objects: 2,
        since,
        why: 'west is not reachable: what it holds now is not known',
        next: 'see isthmus peer list for west, and bring the connection back',
      },
      { ...pair, owner: 'north', cluster: 'east', state: 'in-sync', since: null, why: '', next: '' },
    ],
    objects: [
      {
        ...object,
        owner: { cluster: 'east', source: 'api' },
        kind: 'VirtualService',
        name: 'reviews',
        cluster: 'north',
        state: 'lags',
        digest: 'pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4',
        held: 'bjQLnP-zepicpUTmu3gKLHiQHT-zNzh2hRGjBhevoB0',
        why: '',
        next: 'it comes by itself where north is connected to east: see isthmus peer list there, and the log if it stays',
      },
      {
        ...object,
        owner: { cluster: 'east', source: 'file' },
        kind: 'Gateway',
        name: 'edge',
        cluster: 'north',
        state: 'refused',
        digest: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU',
        held: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU',
        why: 'metadata.namespace: east may not bring objects of namespace shop here: see its Peer',
        next: 'change it in east, or what north takes: the namespaces of its Peer for east, or its version',
      },
    ],
    conflicts: [
      {
        ...names,
        winner: { cluster: 'east', source: 'api' },
        losers: [{ cluster: 'north', source: 'file' }],
        since,
        next: 'keep one: delete it in north (file), or in east (api), or give it another name there',
      },
    ],
  };
}

export function sampleMtls(): MtlsStatus {
  const nothing = { connections: 0, requests: 0 };
  return {
    ports: [
      {
        ...{ service: 'billing/ledger', port: 9000, protocol: 'tcp', mode: 'STRICT', instances: 1, exposed: 0, countingSeconds: null },
        ...{ plaintext: { ...nothing, refused: 0, lastSeen: null }, mtls: nothing, callers: [], moreCallers: 0 },
        ...{ strictIsSafe: 'unknown', reason: '1 of 1 instances have no listener that would see callers in the clear (vm join --expose)' },
      },
      {
        ...{ service: 'default/orders', port: 80, protocol: 'http', mode: 'PERMISSIVE', decidedBy: 'PeerAuthentication default/orders' },
        ...{ instances: 2, exposed: 2, countingSeconds: 7_200, mtls: { connections: 40, requests: 4_000 }, moreCallers: 2 },
        plaintext: { connections: 9, requests: 90, refused: 1, lastSeen: '2030-01-01T00:59:00.000Z' },
        callers: [
          { address: '10.0.0.9', known: ['default/till'], connections: 8, refused: 0, lastSeen: '2030-01-01T00:59:00.000Z' },
          { address: '2001:db8::7', known: [], connections: 1, refused: 1, lastSeen: '2030-01-01T00:10:00.000Z' },
        ],
        ...{ strictIsSafe: 'no', reason: 'somebody came in the clear 60 s ago' },
      },
    ],
  };
}
