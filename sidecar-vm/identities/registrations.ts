import type { InstanceRegistration } from '../../core/identity/index.ts';
import type { agent } from '../../core/xds/index.ts';

export interface OtherRegistration {
  readonly registration: InstanceRegistration;
  /** `NAMESPACE/NAME` of what it may speak of. */
  readonly services: ReadonlySet<string>;
}

/** Several identities of one machine, each registered for itself, as one: what is said of a service goes to the registration that it belongs to. */
export function joinRegistrations(own: OtherRegistration, others: readonly OtherRegistration[]): InstanceRegistration {
  const all = [own, ...others];
  return {
    report: (report) => {
      for (const { registration, services } of all) registration.report(reportOf(report, services));
    },
    status: () => own.registration.status(),
    watches: () => own.registration.watches(),
    reach: () => own.registration.reach(),
    subscribe: (listener) => {
      const undo = all.map(({ registration }) => registration.subscribe(listener));
      return () => {
        for (const end of undo) end();
      };
    },
    leave: async (deadlineMs) => {
      await Promise.all(all.map(({ registration }) => registration.leave(deadlineMs)));
    },
    ended: Promise.all(all.map(({ registration }) => registration.ended)).then(() => undefined),
  };
}

/** Of those services alone. */
export function reportOf(report: agent.Report, services: ReadonlySet<string>): agent.Report {
  return { ...report, services: report.services.filter(({ namespace, name }) => services.has(`${namespace}/${name}`)) };
}
