import { z } from 'zod';
import type { SidecarSpec } from '../../../../core/config/index.ts';
import { isDnsLabel } from '../../../../core/model/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { later, noted, refused } from '../refused.ts';
import { hostFault, labels } from './values.ts';

const egressHost = z.string().superRefine((text, ctx) => {
  const [namespace = '', name, more] = text.split('/');
  const fits = name !== undefined && more === undefined && (['.', '*', '~'].includes(namespace) || isDnsLabel(namespace));
  const form = 'must be NAMESPACE/HOST, such as ./reviews, */* or istio-system/*; for the namespace . is its own and ~ is none';
  const fault = fits ? hostFault(name) : name === undefined ? `${form}; did you mean ./${text.slice(0, 60)}?` : form;
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

const listener = 'listeners follow from the services that a workload can see';

const egress = fields({
  hosts: z.array(egressHost).min(1, { error: 'must name at least one; ~/* for none' }),
  port: refused(listener),
  bind: refused(listener),
  captureMode: refused('how traffic is captured is set where the agent is installed'),
});

const onlyAllowAny =
  'must be ALLOW_ANY: agents capture no traffic, so that what an application sends elsewhere never comes by them; remove outboundTrafficPolicy';

/** Istio's Sidecar. */
export const sidecarSchema = fields({
  workloadSelector: fields({ labels: labels.default({}) }).optional(),
  egress: z.array(egress).min(1, { error: 'must hold a listener; leave it out for everything' }).optional(),
  outboundTrafficPolicy: fields({
    mode: noted(z.literal('ALLOW_ANY', { error: onlyAllowAny }), 'ALLOW_ANY, which is what holds; agents capture no traffic to refuse'),
    egressProxy: later('the way out through an egress gateway'),
  }).optional(),
  ingress: refused('what a workload serves is said where it registers: its Registry, or the file of its agent'),
  inboundConnectionPool: later('bounds for inbound connections'),
});

export function toSidecar(spec: z.output<typeof sidecarSchema>, { createdAt }: SpecContext): SidecarSpec {
  const { egress: listeners } = spec;
  return {
    workloadSelector: spec.workloadSelector?.labels ?? {},
    ...(listeners === undefined ? {} : { egressHosts: listeners.flatMap((each) => each.hosts) }),
    createdAt,
  };
}
