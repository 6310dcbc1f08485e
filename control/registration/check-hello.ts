import { isIP } from 'node:net';
import { formatDuration } from '../../core/duration.ts';
import { isDnsLabel, type Protocol } from '../../core/model/index.ts';
import { accept, type Checked, reject, type Violation } from '../../core/validate.ts';
import type { Gateway, Hello, WorkloadService } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import type { RegisteredInstance, RegisteredService, RegisteredTunnel } from '../../registries/vm/index.ts';
import { type Claims, type Grant, inCidrs } from '../ca/index.ts';

/** What may be said is decided here; who says it was decided in the handshake. */
export interface HelloContext {
  readonly grant: Grant;
  /** The IP that the stream comes from. */
  readonly source: string;
  /** Of the control plane, that the stream ends at. */
  readonly replica: string;
  /** Unix ms. */
  readonly now: number;
}

const limits = { addresses: 8, services: 64, labels: 64, text: 256 };
const protocols: readonly string[] = ['tcp', 'http', 'http2', 'grpc', 'tls'];
/** Nobody is reached there: unspecified, broadcast, multicast, and link-local with its metadata services. */
const neverCidrs = ['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/128', 'fe80::/10', 'ff00::/8'];

/** Generations follow the clock of the machine (see nextGeneration). One far ahead would fence every start after it, for as long as it is ahead. */
const generationSkewMs = 600_000;

const aheadOf = (generation: number, now: number) =>
  `is ${formatDuration(generation * 1_000 - now)} ahead: a start of it had a clock that was; set the clock, stop the agent, and remove identity/generation in its state directory`;

/**
 * A registration from a hello, or everything that is wrong with it at once: form, and every claim that its grant does not cover. Violations
 * whose path begins with `claims` are refusals of right, the others of form. Pure.
 */
export function checkHello(hello: Hello, context: HelloContext): Checked<RegisteredInstance> {
  const { grant } = context;
  const found: Violation[] = [];
  const must = (held: boolean, path: string, message: string) => {
    if (!held) found.push({ path, message });
  };
  must(hello.instance === grant.instance, 'claims.instance', `the identity is of instance ${grant.instance}`);
  must(hello.role?.$case === grant.claims.role, 'claims.role', `the identity is a ${grant.claims.role}'s`);
  must(Number.isSafeInteger(hello.generation) && hello.generation >= 1, 'generation', 'must be 1 or more');
  must(hello.generation * 1_000 <= context.now + generationSkewMs, 'generation', aheadOf(hello.generation, context.now));
  must(hello.start === undefined || /^[a-zA-Z0-9-]{1,64}$/.test(hello.start), 'start', 'must be 1-64 letters, digits and dashes');
  must(isDnsLabel(hello.network), 'network', 'must be a DNS label');
  must(/^[a-z0-9-]*(\/[a-z0-9-]*){0,2}$/.test(hello.locality), 'locality', 'must be REGION/ZONE/SUBZONE');
  must(hello.version.length <= limits.text, 'version', 'is too long');
  const labels = Object.entries(hello.labels);
  must(labels.length <= limits.labels, 'labels', `are more than ${limits.labels}`);
  must(
    labels.every(([key, value]) => key.length <= limits.text && value.length <= limits.text),
    'labels',
    'are too long',
  );
  const tunnel = tunnelOf(hello, found);
  found.push(...(tunnel === undefined ? checkAddresses(hello, grant.claims, context.source) : checkUnreached(hello)));
  const reached = tunnel === undefined ? {} : { tunnel };
  const common = {
    instance: hello.instance,
    namespace: grant.claims.namespace,
    serviceAccount: grant.claims.serviceAccount,
    grant: grant.id,
    generation: hello.generation,
    ...(hello.start === undefined ? {} : { start: hello.start }),
    replica: context.replica,
    network: hello.network,
    addresses: hello.addresses,
    labels: hello.labels,
    locality: hello.locality,
    version: hello.version,
    registeredAt: context.now,
    draining: false,
    expired: false,
  };
  if (hello.role?.$case === 'gateway') {
    const port = hello.role.value.port === 0 ? 15_443 : hello.role.value.port;
    must(isPort(port), 'gateway.port', 'must be 1-65535');
    const { engine } = hello.role.value;
    must(engine === undefined || isDnsLabel(engine), 'gateway.engine', 'must be a DNS label');
    const said = engine === undefined ? {} : { engine };
    return found.length > 0
      ? reject(found)
      : accept({ ...common, role: 'gateway', port, resolved: {}, ...said, ...holdsTunnels(hello.role.value), ...reached });
  }
  const workload = hello.role?.value ?? { services: [], inboundPort: 0 };
  const inboundPort = workload.inboundPort === 0 ? 15_006 : workload.inboundPort;
  must(isPort(inboundPort), 'workload.inboundPort', 'must be 1-65535');
  const { group } = grant.claims;
  const services = checkServices(workload.services, grant.claims, hello.addresses);
  if (!services.ok) found.push(...services.violations);
  return found.length > 0 || !services.ok
    ? reject(found)
    : accept({
        ...common,
        role: 'workload',
        inboundPort,
        services: services.value,
        seenFrom: context.source,
        ...reached,
        ...(group === undefined ? {} : { group }),
      });
}

function holdsTunnels({ holdsTunnels: holds = false }: Gateway): { readonly holdsTunnels?: true } {
  return holds ? { holdsTunnels: true } : {};
}

/** Undefined: it can be dialled. */
function tunnelOf({ role }: Hello, found: Violation[]): RegisteredTunnel | undefined {
  const offer = role?.value.tunnel;
  if (offer === undefined) return undefined;
  if (offer.secretSha256.length !== 32) found.push({ path: 'tunnel.secretSha256', message: 'must be a SHA-256' });
  return { secretSha256: Buffer.from(offer.secretSha256).toString('hex'), gateways: [] };
}

/** Nobody dials these addresses, so that nobody has to be sure whose they are: they are for people. */
function checkUnreached({ addresses }: Hello): Violation[] {
  if (addresses.length > limits.addresses) return [{ path: 'addresses', message: `are more than ${limits.addresses}` }];
  return addresses.flatMap((address, i) => (isIP(address) === 0 ? [{ path: `addresses[${i}]`, message: 'is no IP' }] : []));
}

function checkAddresses(hello: Hello, claims: Claims, source: string): Violation[] {
  const { addresses } = hello;
  if (addresses.length === 0) return [{ path: 'addresses', message: 'are missing' }];
  if (addresses.length > limits.addresses) return [{ path: 'addresses', message: `are more than ${limits.addresses}` }];
  return addresses.flatMap((address, index): Violation[] => {
    const path = `addresses[${index}]`;
    if (isIP(address) === 0) {
      if (claims.role === 'gateway' && isHostname(address)) return [];
      return [{ path, message: claims.role === 'gateway' ? 'is neither an IP nor a hostname' : 'is no IP' }];
    }
    if (inCidrs(address, neverCidrs)) return [{ path, message: `${address} can never be reached` }];
    if (claims.addresses.length > 0) {
      return inCidrs(address, claims.addresses)
        ? []
        : [{ path: `claims.${path}`, message: `${address} is not in ${claims.addresses.join(', ')}` }];
    }
    if (claims.role === 'gateway' || inCidrs(address, [source])) return [];
    return [{ path: `claims.${path}`, message: `${address} is not where this comes from (${source}): make the token with --address` }];
  });
}

function checkServices(services: readonly WorkloadService[], claims: Claims, addresses: readonly string[]): Checked<RegisteredService[]> {
  if (services.length > limits.services) return reject([{ path: 'services', message: `are more than ${limits.services}` }]);
  const found: Violation[] = [];
  const seen = new Set<string>();
  const out = services.map((service, index): RegisteredService => {
    const path = `services[${index}]`;
    const { namespace, name, port } = service;
    const protocol = service.protocol === '' ? 'tcp' : service.protocol;
    const portName = service.portName === '' ? protocol : service.portName;
    if (!isDnsLabel(namespace) || !isDnsLabel(name)) found.push({ path, message: 'namespace and name must be DNS labels' });
    if (!isPort(port)) found.push({ path: `${path}.port`, message: 'must be 1-65535' });
    if (!protocols.includes(protocol)) found.push({ path: `${path}.protocol`, message: `must be one of ${protocols.join(', ')}` });
    if (!isDnsLabel(portName)) found.push({ path: `${path}.portName`, message: 'must be a DNS label' });
    for (const unique of [`${namespace}/${name}#${portName}`, `${namespace}/${name}:${port}`]) {
      if (seen.has(unique)) found.push({ path, message: `${unique} is there twice` });
      seen.add(unique);
    }
    const covered = claims.services.some(
      (claim) =>
        claim.namespace === namespace &&
        (claim.name === '*' || claim.name === name) &&
        (claim.ports.length === 0 || claim.ports.includes(port)),
    );
    if (!covered) found.push({ path: `claims.${path}`, message: `the identity may not register ${namespace}/${name} port ${port}` });
    const { expose } = service;
    if (expose !== undefined && !isPort(expose.port)) found.push({ path: `${path}.expose.port`, message: 'must be 1-65535' });
    // Callers are sent there: it must be an address that this instance may register.
    if (expose !== undefined && !addresses.includes(expose.address))
      found.push({ path: `${path}.expose.address`, message: `must be one of the instance's addresses, ${addresses.join(', ')}` });
    const exposed = expose === undefined ? {} : { expose: { address: expose.address, port: expose.port } };
    return { namespace, name, port, portName, protocol: protocol as Protocol, ...exposed };
  });
  return found.length > 0 ? reject(found) : accept(out);
}

const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65_535;
const isHostname = (text: string) => text.length <= 253 && text.split('.').every((part) => isDnsLabel(part)) && /[a-z]/.test(text);
