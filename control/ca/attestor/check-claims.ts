import { isCidr } from '../../../core/cidr.ts';
import { isDnsLabel, parseSpiffeId } from '../../../core/model/index.ts';
import type { Violation } from '../../../core/validate.ts';
import type { Claims } from './contract.ts';

/** What is wrong with the form of claims, all at once. */
export function claimFaults(claims: Claims): Violation[] {
  const found: Violation[] = [];
  const must = (held: boolean, path: string, message: string) => {
    if (!held) found.push({ path, message });
  };
  must(isDnsLabel(claims.namespace), 'namespace', 'must be a DNS label');
  const id = parseSpiffeId(`spiffe://td/ns/${claims.namespace}/sa/${claims.serviceAccount}`);
  must(id !== undefined, 'serviceAccount', 'must be letters, digits, dots, dashes and underscores');
  claims.services.forEach((service, index) => {
    must(isDnsLabel(service.namespace), `services[${index}].namespace`, 'must be a DNS label');
    must(service.name === '*' || isDnsLabel(service.name), `services[${index}].name`, 'must be a DNS label, or *');
    must(service.ports.every(isPort), `services[${index}].ports`, 'must be 1-65535');
  });
  for (const [index, cidr] of claims.addresses.entries()) must(isCidr(cidr), `addresses[${index}]`, 'must be an IP or CIDR');
  return found;
}

const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65_535;
