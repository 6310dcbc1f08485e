import { type ObtainedIdentity, registerInstance } from '../../core/identity/index.ts';
import type { agent } from '../../core/xds/index.ts';
import type { AgentDeps } from '../contract.ts';
import { agentFiles } from '../files.ts';
import { helloOf, type Place } from '../hello.ts';
import { joinRegistrations, type MachineRegistration, type OpenIdentity, ownServices, reportOf } from '../identities/index.ts';
import type { AgentOptions } from '../options.ts';
import { tunnelOffer } from './tunnels.ts';

/**
 * Each identity of this machine registers for itself, with the services that are its own. `options.services` are those of all. A tunnel is proven by the
 * agent's own identity, so services of others are not reached through one.
 */
export async function registerAll(
  options: AgentOptions,
  place: Place,
  identity: ObtainedIdentity,
  others: readonly OpenIdentity[],
  report: agent.Report,
  deps: Required<AgentDeps>,
  signal: AbortSignal,
): Promise<MachineRegistration> {
  const { clock, random, log } = deps;
  const one = async (source: ObtainedIdentity, dir: string, services: AgentOptions['services'], tunnel?: agent.TunnelOffer) => {
    const names = new Set(services.map(({ namespace, name }) => `${namespace}/${name}`));
    const helloAt = (address: string | undefined) => helloOf({ ...options, services }, { ...place, address }, tunnel);
    const registration = await registerInstance({
      source,
      dir,
      addresses: () => source.token.addresses,
      hello: helloAt(place.address),
      report: reportOf(report, names),
      clock,
      random,
      log,
      signal,
    });
    return { registration, helloAt, services: names };
  };
  const own = await one(identity, agentFiles(options.stateDir).identity, ownServices(options), await tunnelOffer(options));
  const more = await Promise.all(others.map(({ source, dir, options: { services } }) => one(source, dir, services)));
  return joinRegistrations(own, more);
}
