import { dnsLabel } from '../schema/fields.ts';
import { mcsGroup } from '../schema/gateway-api/values.ts';
import { serviceExportSchema, serviceImportSchema, toServiceExport, toServiceImport } from '../schema/mcs.ts';
import { type KindRow, kindRow } from './row.ts';

/** Both are named as their service is, and belong to the cluster that exports it, or imports it. */
const named = { group: mcsGroup, versions: ['v1beta1', 'v1alpha1'], namespaced: true, name: dnsLabel, scope: 'cluster' } as const;

/** The Multi-Cluster Services API's kinds, as they are. */
export const mcsKinds: readonly KindRow[] = [
  kindRow({ ...named, kind: 'ServiceExport', specOptional: true, schema: serviceExportSchema, to: toServiceExport }),
  kindRow({ ...named, kind: 'ServiceImport', schema: serviceImportSchema, to: toServiceImport }),
];
