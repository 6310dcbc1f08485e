import type { HealthEntry } from './schema.ts';

type Check = NonNullable<HealthEntry['Checks']>[number];

/** Whose instance was taken out of its name, as is written into the notes of the check that does it. */
export interface DrainMark {
  readonly owner: string;
  /** NAMESPACE/NAME in the mesh. */
  readonly service: string;
}

/** Meta key of gateways under a service's own name; the value is NAMESPACE/NAME in the mesh. */
export const nativeMetaKey = 'isthmus-native-name';

const form = /^\[isthmus (\S+) (\S+)\]/;
const checkPrefix = 'isthmus-takeover:';
const maintenancePrefix = '_service_maintenance:';

export function isNativeRecord(meta: Readonly<Record<string, string>> | null | undefined): boolean {
  return meta !== null && meta !== undefined && Object.hasOwn(meta, nativeMetaKey);
}

/** For people who look at a node, and for us after a restart. */
export function drainNotes({ owner, service }: DrainMark): string {
  return `[isthmus ${owner} ${service}] the service moves: callers of its name are sent to gateways of the mesh; undone when the move ends`;
}

/** Undefined for every check that is not ours, maintenance by others among them. */
export function drainedBy({ CheckID, Notes }: Check): DrainMark | undefined {
  if (!CheckID.startsWith(checkPrefix) && !CheckID.startsWith(maintenancePrefix)) return undefined;
  const [, owner, service] = form.exec(Notes ?? '') ?? [];
  return owner === undefined || service === undefined ? undefined : { owner, service };
}

export function takeoverCheck(serviceId: string): string {
  return `${checkPrefix}${serviceId}`;
}

export function isMaintenance({ CheckID }: Check): boolean {
  return CheckID.startsWith(maintenancePrefix);
}
