import type { Instance, MtlsStatus } from '../../core/admin/index.ts';
import type { TrustBundle } from '../../core/pki/index.ts';
import { parseCertificate } from '../../core/pki/index.ts';
import type { SourceReport } from '../catalog/index.ts';
import type { PeerReport } from '../peering/index.ts';
import type { ControlMetrics } from '../telemetry/index.ts';
import type { XdsClientStatus } from '../xds/index.ts';

const states = ['unknown', 'live', 'stale', 'expired'] as const;

export interface MetricsInput {
  readonly sources: readonly SourceReport[];
  readonly peers: readonly PeerReport[];
  readonly clients: readonly XdsClientStatus[];
  readonly trust: TrustBundle;
  readonly drift: readonly DriftCount[];
  readonly instances: readonly Instance[];
  readonly mtls: MtlsStatus;
}

/** Of an owner's shared objects, at one cluster. */
export interface DriftCount {
  readonly owner: string;
  readonly holder: string;
  readonly state: string;
  readonly objects: number;
}

/** Brings the gauges to what is true now; called before each scrape. What is gone is not shown any more. */
export function recordMetrics(metrics: ControlMetrics, input: MetricsInput): void {
  for (const gauge of [
    metrics.sourceState,
    metrics.sourceAge,
    metrics.endpoints,
    metrics.peerConnected,
    metrics.peerDataAge,
    metrics.xdsClients,
    metrics.xdsRefused,
    metrics.sharedObjects,
    metrics.instances,
    metrics.instanceStage,
    metrics.certificateExpiry,
    metrics.mtls.calls,
    metrics.mtls.lastPlaintext,
    metrics.mtls.mode,
  ])
    gauge.reset();
  for (const source of input.sources) {
    const labels = { cluster: source.cluster, source: source.source };
    for (const state of states) metrics.sourceState.set({ ...labels, state }, source.state === state ? 1 : 0);
    if (source.ageMs !== undefined) metrics.sourceAge.set(labels, source.ageMs / 1000);
    metrics.endpoints.set(labels, source.endpoints);
  }
  for (const peer of input.peers) {
    metrics.peerConnected.set({ peer: peer.cluster }, peer.state === 'connected' ? 1 : 0);
    if (peer.dataAgeMs !== null) metrics.peerDataAge.set({ peer: peer.cluster }, peer.dataAgeMs / 1000);
  }
  for (const { objects, ...labels } of input.drift) metrics.sharedObjects.set({ ...labels }, objects);
  for (const role of ['agent', 'gateway'] as const) metrics.xdsClients.set({ role }, input.clients.filter((c) => c.kind === role).length);
  for (const { typeUrl: type, refused } of input.clients.flatMap((c) => c.types)) {
    for (const { unsent } of refused) metrics.xdsRefused.inc({ type, cause: unsent === true ? 'encoding' : 'client' });
  }
  recordInstances(metrics, input.instances);
  recordMtls(metrics, input.mtls);
  recordExpiries(metrics, input.trust);
}

/** Of several of one name the first, which is the one that signs now: nobody renews those that it has replaced. */
function recordExpiries({ certificateExpiry }: ControlMetrics, { roots, intermediates, trustDomain }: TrustBundle): void {
  const all = [
    ...roots.map((der) => ({ name: trustDomain, kind: 'root', der })),
    ...intermediates.map(({ cluster, certificate }) => ({ name: cluster, kind: 'intermediate', der: certificate })),
  ];
  for (const { der, ...labels } of all.reverse()) {
    const parsed = parseCertificate(der);
    if (parsed.ok) certificateExpiry.set(labels, parsed.value.notAfter / 1_000);
  }
}

/** Of ports that somebody exposes, or that take plaintext: of the others there is nothing to watch. */
function recordMtls({ mtls }: ControlMetrics, { ports }: MtlsStatus): void {
  for (const { service, port, mode, exposed, plaintext, mtls: byMtls } of ports) {
    if (exposed === 0 && mode === 'STRICT') continue;
    const [namespace = '', name = ''] = service.split('/');
    const labels = { namespace, service: name, port };
    mtls.mode.set({ ...labels, mode }, 1);
    mtls.calls.set({ ...labels, security: 'none', outcome: 'let-in' }, plaintext.connections);
    mtls.calls.set({ ...labels, security: 'none', outcome: 'refused' }, plaintext.refused);
    mtls.calls.set({ ...labels, security: 'mutual_tls', outcome: 'let-in' }, byMtls.connections);
    if (plaintext.lastSeen !== null) mtls.lastPlaintext.set(labels, Date.parse(plaintext.lastSeen) / 1_000);
  }
}

/** From not serving at all to all that there is. */
const stages = ['revoked', 'expired', 'attested', 'registered', 'healthy', 'selectable', 'reachable'] as const;
const instancesShown = 500;

function recordInstances(metrics: ControlMetrics, instances: readonly Instance[]): void {
  for (const stage of stages) metrics.instances.set({ stage }, instances.filter((each) => each.stage === stage).length);
  metrics.clonesSuspected.set(instances.filter((each) => each.cloneSuspected !== undefined).length);
  const worst = stages.flatMap((stage) => instances.filter((each) => each.stage === stage)).slice(0, instancesShown);
  for (const { id: instance, namespace, stage } of worst) metrics.instanceStage.set({ namespace, instance, stage }, 1);
}
