import { z } from 'zod';
import type { MtlsMode } from '../../../core/authz/index.ts';
import type { PeerAuthenticationSpec } from '../../../core/config/index.ts';
import { systemNamespace } from '../../../core/model/index.ts';
import { fields, oneOf } from '../../../core/yaml/index.ts';
import type { SpecContext } from '../kinds/row.ts';
import { noted } from './refused.ts';
import { matchLabels } from './workload-selection.ts';

const mtls = fields({ mode: oneOf('UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT').default('UNSET') });

const portNumber = z.string().refine((text) => /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535);
const byPort = z.record(portNumber, mtls, {
  error: ({ code }) => (code === 'invalid_key' ? 'must be a port, 1-65535' : undefined),
});
const mostPorts = 64;

/** Istio's PeerAuthentication. What Istio would take and not follow is refused here. */
export const peerAuthenticationSchema = fields({
  selector: matchLabels,
  mtls: mtls.prefault({}),
  portLevelMtls: noted(
    byPort.refine((ports) => Object.keys(ports).length <= mostPorts, { error: `must name ${mostPorts} ports at most` }),
    'by service port; with a selector alone',
  ).default({}),
}).superRefine(({ selector, portLevelMtls }, ctx) => {
  if (Object.keys(portLevelMtls).length === 0 || Object.keys(selector.matchLabels).length > 0) return;
  ctx.addIssue({
    code: 'custom',
    path: ['portLevelMtls'],
    message: 'needs a selector: ports are those of workloads, and without one it would be followed by none',
  });
});

const modes: Readonly<Record<string, MtlsMode>> = { DISABLE: 'disable', PERMISSIVE: 'permissive', STRICT: 'strict' };

export function toPeerAuthentication(
  spec: z.output<typeof peerAuthenticationSchema>,
  { createdAt }: Pick<SpecContext, 'createdAt'>,
): PeerAuthenticationSpec {
  const mode = modes[spec.mtls.mode];
  const ports = Object.entries(spec.portLevelMtls).map(([port, each]) => ({ port: Number(port), mode: modes[each.mode] }));
  return {
    selector: spec.selector.matchLabels,
    ...(mode === undefined ? {} : { mode }),
    // UNSET at a port is what the rest of the workload has.
    ports: ports.flatMap(({ port, mode: own }) => (own === undefined ? [] : [{ port, mode: own }])).sort((a, b) => a.port - b.port),
    createdAt,
  };
}

/** What the spec alone does not show. */
export function rootSelectorFault(namespace: string, selector: Readonly<Record<string, string>>): string | undefined {
  if (namespace !== systemNamespace || Object.keys(selector).length === 0) return undefined;
  return `must be empty in ${systemNamespace}: there it is for the whole mesh; write one with this selector into each namespace that is meant`;
}
