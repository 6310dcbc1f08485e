import { dnsName } from '../schema/fields.ts';
import { destinationRuleSchema, toDestinationRule } from '../schema/istio/destination-rule.ts';
import { toVirtualService, virtualServiceSchema } from '../schema/istio/virtual-service.ts';
import { type KindRow, kindRow } from './row.ts';

const networking = {
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  namespaced: true,
  name: dnsName,
} as const;

/** Istio's networking and telemetry kinds, as they are. */
export const istioKinds: readonly KindRow[] = [
  kindRow({ ...networking, kind: 'VirtualService', scope: 'mesh', schema: virtualServiceSchema, to: toVirtualService }),
  kindRow({ ...networking, kind: 'DestinationRule', scope: 'mesh', schema: destinationRuleSchema, to: toDestinationRule }),
];
