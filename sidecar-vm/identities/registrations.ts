import type { InstanceRegistration } from '../../core/identity/index.ts';
import type { agent } from '../../core/xds/index.ts';

/** All registrations of one machine. */
export interface MachineRegistration extends Omit<InstanceRegistration, 'registerAs'> {
  /** Each registers with this address from now on. */
  moveTo(address: string): void;
}

export interface OtherRegistration {
  readonly registration: InstanceRegistration;
  readonly helloAt: (address: string) => Parameters<InstanceRegistration['registerAs']>[0];
  /** `NAMESPACE/NAME` of what it may speak of. */
  readonly services: ReadonlySet<string>;
}

/** Several identities of one machine, each registered for itself, as one: what is said of a service goes to the registration that it belongs to. */
export function joinRegistrations(own: OtherRegistration, others: readonly OtherRegistration[]): MachineRegistration {
  const all = [own, ...others];
  const ended = Promise.all(all.map(({ registration }) => registration.ended)).then(() => undefined);
  // Not everybody waits for it.
  ended.catch(() => undefined);
  return {
    report: (report) => {
      for (const { registration, services } of all) registration.report(reportOf(report, services));
    },
    moveTo: (address) => {
      for (const { registration, helloAt } of all) registration.registerAs(helloAt(address));
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
    ended,
  };
}

/** Of those services alone. */
export function reportOf(report: agent.Report, services: ReadonlySet<string>): agent.Report {
  const own = ({ namespace, name }: { readonly namespace: string; readonly name: string }) => services.has(`${namespace}/${name}`);
  const { plaintext } = report;
  return {
    ...report,
    services: report.services.filter(own),
    ...(plaintext === undefined ? {} : { plaintext: { services: plaintext.services.filter(own) } }),
  };
}
