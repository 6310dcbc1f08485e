import { dnsName } from '../schema/fields.ts';
import { destinationRuleSchema, toDestinationRule } from '../schema/istio/destination-rule.ts';
import { gatewaySchema, toGateway } from '../schema/istio/gateway.ts';
import { serviceEntrySchema, toServiceEntry } from '../schema/istio/service-entry.ts';
import { sidecarSchema, toSidecar } from '../schema/istio/sidecar.ts';
import { telemetrySchema, toTelemetry } from '../schema/istio/telemetry.ts';
import { toVirtualService, virtualServiceSchema } from '../schema/istio/virtual-service.ts';
import { toWorkloadEntry, workloadEntrySchema } from '../schema/istio/workload-entry.ts';
import { toWorkloadGroup, workloadGroupSchema } from '../schema/istio/workload-group.ts';
import { type KindRow, kindRow } from './row.ts';

const named = { namespaced: true, name: dnsName } as const;
const networking = { ...named, group: 'networking.istio.io', versions: ['v1', 'v1beta1', 'v1alpha3'] } as const;

/** What callers do holds wherever they run. */
const everywhere = { ...networking, scope: 'mesh' } as const;

/**
 * What names addresses, files and machines of one cluster holds there: the same certificate file need not be elsewhere, a
 * workload is in one place (and crosses the border by being exported), and its agent joins there.
 */
const inPlace = { ...networking, scope: 'cluster' } as const;

/** Istio's networking and telemetry kinds, as they are. */
export const istioKinds: readonly KindRow[] = [
  kindRow({ ...everywhere, kind: 'VirtualService', schema: virtualServiceSchema, to: toVirtualService }),
  kindRow({ ...everywhere, kind: 'DestinationRule', schema: destinationRuleSchema, to: toDestinationRule }),
  kindRow({ ...everywhere, kind: 'ServiceEntry', schema: serviceEntrySchema, to: toServiceEntry }),
  kindRow({ ...everywhere, kind: 'Sidecar', specOptional: true, schema: sidecarSchema, to: toSidecar }),
  kindRow({ ...inPlace, kind: 'Gateway', schema: gatewaySchema, to: toGateway }),
  kindRow({ ...inPlace, kind: 'WorkloadEntry', schema: workloadEntrySchema, to: toWorkloadEntry }),
  kindRow({ ...inPlace, kind: 'WorkloadGroup', schema: workloadGroupSchema, to: toWorkloadGroup }),
  kindRow({
    ...named,
    group: 'telemetry.istio.io',
    versions: ['v1', 'v1alpha1'],
    kind: 'Telemetry',
    scope: 'mesh',
    specOptional: true,
    schema: telemetrySchema,
    to: toTelemetry,
  }),
];
