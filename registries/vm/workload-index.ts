import type { ServiceKey, ServiceRecord } from '../../core/model/index.ts';
import { type RegistryEvent, sameService } from '../../core/registry/index.ts';

import { servicesOf, translate } from './translate.ts';
import type { GroupedWorkload } from './with-group.ts';

/** Workloads by store key and by service, so that one change costs what its services have of members. */
export class WorkloadIndex {
  readonly #workloads = new Map<string, GroupedWorkload>();
  readonly #members = new Map<ServiceKey, Set<string>>();
  readonly #services = new Map<ServiceKey, ServiceRecord>();

  services(): readonly ServiceRecord[] {
    return [...this.#services.values()];
  }

  /** Sets or, with undefined, removes workloads; returns what that changed, deletes last. */
  apply(changes: readonly (readonly [key: string, workload: GroupedWorkload | undefined])[], cursor: string): RegistryEvent[] {
    const touched = new Set<ServiceKey>();
    for (const [key, workload] of changes) {
      for (const service of this.#unlink(key)) touched.add(service);
      if (workload === undefined) continue;
      this.#workloads.set(key, workload);
      for (const service of servicesOf(workload)) {
        touched.add(service);
        this.#members.set(service, (this.#members.get(service) ?? new Set()).add(key));
      }
    }
    const events = [...touched].flatMap((service) => this.#refresh(service, cursor));
    return [...events.filter((event) => event.kind !== 'delete'), ...events.filter((event) => event.kind === 'delete')];
  }

  #unlink(key: string): Set<ServiceKey> {
    const old = this.#workloads.get(key);
    if (old === undefined) return new Set();
    this.#workloads.delete(key);
    const services = servicesOf(old);
    for (const service of services) {
      const members = this.#members.get(service);
      members?.delete(key);
      if (members?.size === 0) this.#members.delete(service);
    }
    return services;
  }

  #refresh(id: ServiceKey, cursor: string): RegistryEvent[] {
    const members = [...(this.#members.get(id) ?? [])].flatMap((key) => this.#workloads.get(key) ?? []);
    const service = translate(id, members);
    const before = this.#services.get(id);
    if (service === undefined) {
      this.#services.delete(id);
      return before === undefined ? [] : [{ kind: 'delete', id, cursor }];
    }
    this.#services.set(id, service);
    return before !== undefined && sameService(before, service) ? [] : [{ kind: 'upsert', service, cursor }];
  }
}
