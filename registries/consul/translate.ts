import { isIP } from 'node:net';
import type { Health, Locality } from '../../core/model/index.ts';
import { type BuiltServices, buildServices, isMeshOwned, type NativeInstance, type RegistryRules } from '../../core/registry/index.ts';
import { drainedBy } from './native-marks.ts';
import type { HealthEntry } from './schema.ts';

/** Ports that Nomad's clients pick unless configured otherwise, for what Nomad registers in Consul. */
const nomadPorts = { min: 20_000, max: 32_000 };

/**
 * Mesh services of one Consul service. Pure. Left out: what Isthmus published (of any cluster), and everything that is not a plain
 * service (Consul's own proxies and gateways). See docs/connect-consul.md for the mapping.
 */
export function translateService(entries: readonly HealthEntry[], rules: RegistryRules, createdAt: number): BuiltServices {
  return buildServices(entries.filter(isImported).map(toInstance), rules, 'consul', createdAt);
}

function isImported({ Node, Service }: HealthEntry): boolean {
  if (isMeshOwned(Node.Meta, Service.Meta)) return false;
  return Service.Kind === undefined || Service.Kind === null || Service.Kind === '';
}

function toInstance(entry: HealthEntry): NativeInstance {
  const { Node, Service } = entry;
  const meta = Service.Meta ?? {};
  const { health, warning } = healthOf(entry);
  const locality = localityOf(entry);
  return {
    name: Service.Service,
    ...(Service.Namespace ? { nativeNamespace: Service.Namespace } : {}),
    meta,
    tags: Service.Tags ?? [],
    instance: `${Node.Node}/${Service.ID}`,
    address: addressOf(entry),
    port: Service.Port,
    health,
    weight: Math.max(0, (warning ? Service.Weights?.Warning : Service.Weights?.Passing) ?? 1),
    ...(locality === undefined ? {} : { locality }),
    order: Service.CreateIndex ?? 0,
    dynamicPort: meta['external-source'] === 'nomad' && Service.Port >= nomadPorts.min && Service.Port <= nomadPorts.max,
  };
}

/** As Consul's own DNS decides: any critical check takes an instance out, a warning one keeps it in with its own weight. */
function healthOf({ Checks }: HealthEntry): { health: Health; warning: boolean } {
  // What we took out of its name ourselves is as healthy as it was: the mesh still sends it its share.
  const checks = (Checks ?? []).filter((check) => drainedBy(check) === undefined);
  const isMaintenance = (id: string) => id === '_node_maintenance' || id.startsWith('_service_maintenance:');
  const critical = checks.filter((c) => c.Status !== 'passing' && c.Status !== 'warning');
  const warning = checks.some((c) => c.Status === 'warning');
  if (critical.length === 0) return { health: 'healthy', warning };
  // Maintenance is somebody's wish to drain; a check that fails besides is a fault.
  return { health: critical.every((c) => isMaintenance(c.CheckID)) ? 'draining' : 'unhealthy', warning };
}

/** The service's own address, else its node's; where that is a hostname, the LAN address that goes with it. */
function addressOf({ Node, Service }: HealthEntry): string {
  const own = Service.Address ? Service.Address : Node.Address;
  if (isIP(own) !== 0) return own;
  for (const key of ['lan_ipv4', 'lan', 'lan_ipv6']) {
    const tagged = Service.TaggedAddresses?.[key]?.Address;
    if (tagged !== undefined && isIP(tagged) !== 0) return tagged;
  }
  return own;
}

function localityOf({ Node, Service }: HealthEntry): Locality | undefined {
  const said = Service.Locality ?? Node.Locality;
  if (said?.Region) return { region: said.Region, zone: said.Zone ?? '', subzone: '' };
  const meta = Node.Meta ?? {};
  const read = (key: string) => meta[`isthmus-${key}`] ?? meta[key] ?? '';
  const region = read('region');
  return region === '' ? undefined : { region, zone: read('zone'), subzone: read('subzone') };
}
