import type { TrafficObject } from '../../core/config/index.ts';
import { meshHost, type ServiceKey } from '../../core/model/index.ts';
import type { MergedService } from '../catalog/index.ts';
import { coversService, hostKeys, specificity } from './hosts.ts';
import { type ObjectIndex, ownerOf, type Token } from './object-index.ts';
import {
  type EntryObject,
  type GatewayObject,
  type GrantObject,
  type HealthObject,
  objectName,
  olderFirst,
  type RouteObject,
  type RuleObject,
  type ShiftObject,
  type SidecarObject,
  type TelemetryObject,
} from './objects.ts';

/** An object that says something of a service, by the most specific of its hosts that does. */
export interface Matched<T> {
  readonly object: T;
  readonly host: string;
  readonly specificity: number;
}

/** Everything that compiling one thing may ask. What it asked is kept in `asked`: a change elsewhere cannot concern it. */
export class Lookup {
  readonly asked = new Set<Token>();
  readonly hostSuffix: string;
  readonly #services: ReadonlyMap<ServiceKey, MergedService>;
  readonly #index: ObjectIndex;
  readonly #own: ServiceKey | undefined;

  /** `own`: for that service, which always asks of itself. */
  constructor(services: ReadonlyMap<ServiceKey, MergedService>, index: ObjectIndex, hostSuffix: string, own?: ServiceKey) {
    this.#own = own;
    this.#services = services;
    this.#index = index;
    this.hostSuffix = hostSuffix;
  }

  /** Its ports and that it is there; of its endpoints only `withEndpoints` may be asked. */
  service(key: ServiceKey): MergedService | undefined {
    this.#note(`service@${key}`);
    return this.#services.get(key);
  }

  withEndpoints(key: ServiceKey): MergedService | undefined {
    this.#note(`endpoints@${key}`);
    return this.service(key);
  }

  canonicalHost(service: MergedService): string {
    return meshHost(service, this.hostSuffix);
  }

  /** What a host in an object of `namespace` means; ServiceEntries first, as only they can name the rest of the world. */
  resolve(host: string, namespace: string): MergedService | undefined {
    for (const key of hostKeys(host, namespace, this.hostSuffix)) {
      const entry = this.#ask<EntryObject>(`entry@${key}`).sort(olderFirst)[0];
      const found =
        (entry && this.service(objectName(entry) as ServiceKey)) ?? (key.includes('/') ? this.service(key as ServiceKey) : undefined);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  object(id: string): TrafficObject | undefined {
    this.#note(`object@${id}`);
    return this.#index.get(id);
  }

  /** VirtualServices that go on in this one (`NAMESPACE/NAME`), whether they may or not. */
  delegators(name: string): readonly RouteObject[] {
    return this.#ask<RouteObject>(`delegates@${name}`);
  }

  /** For clients in the mesh, the most specific host first, then the older. */
  meshRoutes(service: MergedService): readonly Matched<RouteObject>[] {
    return this.#matching<RouteObject>('routes', service);
  }

  destinationRules(service: MergedService): readonly Matched<RuleObject>[] {
    return this.#matching<RuleObject>('rules', service);
  }

  healthChecks(service: MergedService): readonly Matched<HealthObject>[] {
    return this.#matching<HealthObject>('checks', service);
  }

  /** Routes of the Gateway API whose parent is this service, the older first. */
  attachedRoutes(key: ServiceKey): readonly RouteObject[] {
    return this.#ask<RouteObject>(`attached@${key}`).sort(olderFirst);
  }

  gatewayRoutes(gateway: GatewayObject): readonly RouteObject[] {
    return this.#ask<RouteObject>(`gateway-routes@${objectName(gateway)}`).sort(olderFirst);
  }

  /** Istio's and the Gateway API's are apart, whatever their names. */
  gateway(name: string, origin: GatewayObject['spec']['origin']): GatewayObject | undefined {
    return this.#ask<GatewayObject>(`gateway@${name}`).find((each) => each.spec.origin === origin);
  }

  /** Those that have a server there, the older first. */
  gatewaysOn(port: number): readonly GatewayObject[] {
    return this.#ask<GatewayObject>(`gateways-on@${port}`).sort(olderFirst);
  }

  /** Routes that name a subset of a service by this or another of its names; some may mean another service. */
  routesTo(host: string, namespace: string, service: MergedService): readonly RouteObject[] {
    const entryHosts = this.#ask<EntryObject>(`entries@${service.key}`).flatMap((entry) => entry.spec.hosts.map((h) => h.toLowerCase()));
    const keys = new Set([service.key, ...entryHosts, ...hostKeys(host, namespace, this.hostSuffix)]);
    return [...new Set([...keys].flatMap((key) => this.#ask<RouteObject>(`uses@${key}`)))];
  }

  /** The one that holds: of several the first by name. */
  shift(key: ServiceKey): ShiftObject | undefined {
    return this.#ask<ShiftObject>(`shifts@${key}`).sort(olderFirst)[0];
  }

  /** How the service is called outside: the first of its own names that is no pattern; empty: there is none. */
  entryHost(service: MergedService): string {
    const hosts = this.#ask<EntryObject>(`entries@${service.key}`).flatMap((entry) => entry.spec.hosts);
    return hosts.find((host) => !host.startsWith('*'))?.toLowerCase() ?? '';
  }

  /** What the ServiceEntries that make a service say its certificates hold. */
  subjectAltNames(service: MergedService): readonly string[] {
    return this.#ask<EntryObject>(`entries@${service.key}`).flatMap((entry) => entry.spec.subjectAltNames);
  }

  /** Of a namespace, the older first. */
  sidecars(namespace: string): readonly SidecarObject[] {
    return this.#ask<SidecarObject>(`sidecars@${namespace}`).sort(olderFirst);
  }

  telemetries(namespace: string): readonly TelemetryObject[] {
    return this.#ask<TelemetryObject>(`telemetries@${namespace}`).sort(olderFirst);
  }

  /** In the namespace that would be entered. */
  grants(namespace: string): readonly GrantObject[] {
    return this.#ask<GrantObject>(`grants@${namespace}`);
  }

  #note(token: Token): void {
    if (this.#own === undefined || ownerOf(token) !== this.#own) this.asked.add(token);
  }

  #ask<T extends TrafficObject>(token: Token): T[] {
    this.#note(token);
    return this.#index.at(token) as T[];
  }

  #matching<T extends RouteObject | RuleObject | HealthObject>(
    kind: 'routes' | 'rules' | 'checks',
    service: MergedService,
  ): readonly Matched<T>[] {
    const best = new Map<T, Matched<T>>();
    const offer = (object: T, host: string) => {
      const one = { object, host, specificity: specificity(host) };
      if (one.specificity > (best.get(object)?.specificity ?? -1)) best.set(object, one);
    };
    const entryHosts = this.#ask<EntryObject>(`entries@${service.key}`).flatMap((entry) =>
      entry.spec.hosts.map((host) => host.toLowerCase()),
    );
    for (const key of [service.key, ...entryHosts]) for (const object of this.#ask<T>(`${kind}@${key}`)) offer(object, key);
    for (const [pattern, objects] of this.#index.wildcards(kind)) {
      if (!coversService(pattern, service.key, entryHosts, this.hostSuffix)) continue;
      for (const object of objects) offer(object as TrafficObject as T, pattern);
    }
    return [...best.values()].sort((a, b) => b.specificity - a.specificity || olderFirst(a.object, b.object));
  }
}
