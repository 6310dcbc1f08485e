import { Option } from 'commander';

const proxyKinds = ['isthmus', 'envoy', 'none'] as const;

/** Of agents and gateways alike. */
export function proxyOption(): Option {
  return new Option(
    '--proxy <kind>',
    'what carries the traffic: our own proxy, an Envoy run and watched over here, or none (Envoys of your own, see: isthmus envoy bootstrap)',
  )
    .choices(proxyKinds)
    .default('isthmus');
}

export function envoyPathOption(): Option {
  return new Option('--envoy-path <file>', 'the Envoy to run with --proxy envoy, 1.40 or newer (default: envoy of PATH)');
}

export function engineOption(): Option {
  return new Option('--engine <name>', 'what moves the bytes of our own proxy: native (Rust, where it is built), node, or auto')
    .choices(['auto', 'native', 'node'])
    .default('auto');
}
