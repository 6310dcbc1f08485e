import type { ServicePort } from '../../../core/model/index.ts';
import type { PreflightCheck, RegistryFact } from './contract.ts';
import type { Scene, Side } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { countText, listText } from './words.ts';

/** Callers dial numbers and speak a protocol: both must be the same on the side that they are moved to. */
export function checkPorts(scene: Scene): readonly PreflightCheck[] {
  const { from, to } = scene;
  const [old, now] = [from.contribution?.ports, to.contribution?.ports];
  if (old === undefined || now === undefined) return [];
  const problems = [
    ...old.flatMap((port) => portProblem(port, now, scene)),
    ...now.filter((p) => !old.some((o) => o.port === p.port)).map((p) => added(p, scene)),
    ...unserved(from),
    ...unserved(to),
  ];
  return verdict('ports', `both sides have ${listText(old.map(textOf))}`, problems);
}

function textOf({ name, port, protocol }: ServicePort): string {
  return `${port} (${name}, ${protocol})`;
}

function portProblem(port: ServicePort, there: readonly ServicePort[], { to, from }: Scene): Problem[] {
  const same = there.find((p) => p.port === port.port);
  if (same === undefined) {
    const has = there.length === 0 ? 'no port' : listText(there.map(textOf));
    const byName = there.find((p) => p.name === port.name);
    const message = `${to.label} has no port ${port.port}, which callers of ${from.label} dial as ${port.name} (${port.protocol}); it has ${has}`;
    const change =
      byName === undefined ? `declare port ${port.port}` : `give port ${byName.name} the number ${port.port} instead of ${byName.port}`;
    return [fail('spec.to.registry', message, `${change} where ${to.label} declares it; the target port behind it may differ`)];
  }
  if (same.protocol !== port.protocol) {
    const message = `port ${port.port} is ${port.protocol} on ${from.label} and ${same.protocol} on ${to.label}: the older says what callers speak, and the other's endpoints are not used for it`;
    return [fail('spec.to.registry', message, `make it ${port.protocol} on ${to.label}: ${protocolHint(to.config, port)}`)];
  }
  if (same.name === port.name) return [];
  const message = `port ${port.port} is named ${port.name} on ${from.label} and ${same.name} on ${to.label}`;
  return [warn('spec.to.registry', message, `name it ${port.name} on both, or check the rules and policies that use its name`)];
}

function protocolHint(config: RegistryFact | undefined, port: ServicePort): string {
  switch (config?.type) {
    case 'kubernetes':
      return `set appProtocol: ${port.protocol} on the Service's port, or spec.mapping.protocol of the Registry`;
    case 'consul':
      return `set the registration's meta isthmus-protocol to ${port.protocol}, or spec.mapping.protocol of the Registry`;
    case 'nomad':
      return `tag the service isthmus.dev/protocol=${port.protocol}, or set spec.mapping.protocol of the Registry`;
    default:
      return 'where its registry says it';
  }
}

function added(port: ServicePort, { to, from }: Scene): Problem {
  const message = `port ${textOf(port)} is on ${to.label} alone: what is sent to it is not split, and has nowhere to go back to on ${from.label}`;
  return warn('spec.to.registry', message, 'open it once the service has moved, or add it to the old side');
}

/** Endpoints that lack one of their own side's ports. */
function unserved(side: Side): Problem[] {
  return (side.contribution?.ports ?? []).flatMap((port) => {
    // Names in endpoints are those of the merged service: another side's name of the same number may stand there.
    const lacking = side.healthy.filter((e) => Object.keys(e.ports).length > 0 && e.ports[port.name] === undefined);
    if (lacking.length === 0 || lacking.length === side.healthy.length) return [];
    const message = `${lacking.length} of ${countText(side.healthy.length, 'healthy endpoint')} on ${side.label} ${lacking.length === 1 ? 'does' : 'do'} not serve port ${port.port} (${port.name})`;
    return [warn(`${side.path}.registry`, message, `register that port for all of them: ${listText(lacking.map((e) => e.instance))}`)];
  });
}
