import { isIP } from 'node:net';
import { isExcluded, isMeshOwned, nameService, ownerMetaKey, type RegistryRules, type SwitchedService } from '../../core/registry/index.ts';
import { drainedBy, isMaintenance, nativeMetaKey } from './native-marks.ts';
import type { ConsulRecord } from './plan-records.ts';
import type { HealthEntry } from './schema.ts';

/** An instance under a service's own name that is not ours. */
export interface Original {
  readonly node: string;
  readonly nodeAddress: string;
  readonly id: string;
  readonly service: string;
  readonly tags: readonly string[];
  /** Its node has an agent, and whether that is known to be there. */
  readonly agent: 'alive' | 'failed' | 'none';
  readonly drained: 'by-us' | 'by-others' | 'no';
  /** Check that keeps it out, where that is ours and stands in the catalog alone. */
  readonly checkId?: string;
}

/** The native names, of those given, that can be the mesh service's: their instances decide. */
export function candidateNames(names: readonly string[], service: string, rules: RegistryRules): readonly string[] {
  return names.filter((name) => {
    const named = nameService({ name, meta: {}, tags: [] }, rules);
    return !isExcluded(named) && named.name === service;
  });
}

/** The instances of one native name that are the mesh service's, or were marked as such by `owner`. Pure. */
export function originalsOf(
  entries: readonly HealthEntry[],
  wanted: { readonly namespace: string; readonly name: string },
  rules: RegistryRules,
  owner: string,
): readonly Original[] {
  const key = `${wanted.namespace}/${wanted.name}`;
  return entries.flatMap((entry): Original[] => {
    const { Node, Service } = entry;
    if (isMeshOwned(Node.Meta, Service.Meta) || (Service.Kind ?? '') !== '') return [];
    const checks = entry.Checks ?? [];
    const ours = checks.find((check) => {
      const mark = drainedBy(check);
      return mark?.owner === owner && mark.service === key;
    });
    const native = { name: Service.Service, meta: Service.Meta ?? {}, tags: Service.Tags ?? [] };
    const named = nameService({ ...native, ...(Service.Namespace ? { nativeNamespace: Service.Namespace } : {}) }, rules);
    const isIt = !isExcluded(named) && named.namespace === wanted.namespace && named.name === wanted.name;
    if (!isIt && ours === undefined) return [];
    const serf = checks.find(({ CheckID }) => CheckID === 'serfHealth');
    const held = checks.some((check) => drainedBy(check) !== undefined || (isMaintenance(check) && check.Status === 'critical'));
    return [
      {
        node: Node.Node,
        nodeAddress: Node.Address,
        id: Service.ID,
        service: Service.Service,
        tags: native.tags,
        agent: serf === undefined ? 'none' : serf.Status === 'critical' ? 'failed' : 'alive',
        drained: ours !== undefined ? 'by-us' : held ? 'by-others' : 'no',
        ...(ours === undefined || isMaintenance(ours) ? {} : { checkId: ours.CheckID }),
      },
    ];
  });
}

/** The gateways as they stand under each native name: one for each address and port. Pure. */
export function gatewayRecords(service: SwitchedService, natives: ReadonlyMap<string, readonly Original[]>, owner: string): ConsulRecord[] {
  const { namespace, name, ports, gatewayAddresses } = service;
  const addresses = [...new Set(gatewayAddresses)].filter((address) => isIP(address) !== 0).sort();
  return [...natives].flatMap(([native, originals]) =>
    ports.flatMap((port) =>
      addresses.map((address) => ({
        id: `isthmus-native:${native}:${port.port}:${address}`,
        service: native,
        address,
        port: port.gatewayPort,
        tags: tagsFor(originals, ports.length > 1 ? port.name : undefined),
        meta: {
          [ownerMetaKey]: owner,
          [nativeMetaKey]: `${namespace}/${name}`,
          'isthmus-port': String(port.port),
          'isthmus-protocol': port.protocol,
        },
      })),
    ),
  );
}

/** Callers may ask for instances with a tag: the gateways have every tag that all originals have. */
function tagsFor(originals: readonly Original[], portName: string | undefined): string[] {
  const [first, ...rest] = originals;
  const common = (first?.tags ?? []).filter((tag) => rest.every((each) => each.tags.includes(tag)));
  return [...new Set([...common, ...(portName === undefined ? [] : [portName])])].sort();
}
