import { MeshError } from '../../core/errors.ts';
import type { Checked } from '../../core/validate.ts';
import { loadAgentOptions } from '../files.ts';
import type { AgentOptionsInput } from '../options.ts';
import { type EditedOptions, editOptions } from './edit-options.ts';

type ServiceInput = NonNullable<AgentOptionsInput['services']>[number];

export interface ServicePort {
  readonly namespace: string;
  readonly name: string;
  /** Undefined: every port of it. */
  readonly port?: number;
}

/** Adds services to what runs here, or replaces those of their names and ports. MeshError CONFLICT where another identity of this machine serves one. */
export async function addServices(stateDir: string, services: readonly ServiceInput[]): Promise<Checked<EditedOptions>> {
  const current = await loadAgentOptions(stateDir);
  if (!current.ok) return current;
  for (const service of services) {
    const owner = current.value.identities.find((each) => each.services.some((own) => isOf(own, service)));
    if (owner !== undefined)
      throw new MeshError('CONFLICT', `${nameOf(service)} is served as identity ${owner.name}: see isthmus vm identity`);
  }
  const stays = (each: ServiceInput) => !services.some((service) => isOf(each, service));
  return editOptions(stateDir, (saved) => ({ services: [...(saved.services ?? []).filter(stays), ...services] }));
}

/** MeshError NOT_FOUND when this machine does not serve one of them. */
export async function removeServices(stateDir: string, which: readonly ServicePort[]): Promise<Checked<EditedOptions>> {
  const current = await loadAgentOptions(stateDir);
  if (!current.ok) return current;
  const { services } = current.value;
  const stranger = which.find((each) => !services.some((service) => isOf(service, each)));
  if (stranger !== undefined) {
    const known = services.map(nameOf).join(', ') || 'none';
    throw new MeshError('NOT_FOUND', `this machine does not serve ${nameOf(stranger)}; it serves ${known}`);
  }
  const stays = (each: ServiceInput) => !which.some((one) => isOf(each, one));
  return editOptions(stateDir, (saved) => ({ services: (saved.services ?? []).filter(stays) }));
}

function isOf(service: Pick<ServiceInput, 'namespace' | 'name' | 'port'>, { namespace, name, port }: ServicePort): boolean {
  return service.namespace === namespace && service.name === name && (port === undefined || service.port === port);
}

function nameOf({ namespace, name, port }: ServicePort): string {
  return port === undefined ? `${namespace}/${name}` : `${namespace}/${name}:${port}`;
}
