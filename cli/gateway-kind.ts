import { Option } from 'commander';

/** Of `isthmus gateway` and of its tokens. */
export function gatewayKindOption(): Option {
  return new Option('--kind <kind>', 'between networks, or for people outside the mesh').choices(['gateway', 'ingress']).default('gateway');
}
