import { z } from 'zod';
import type { SidecarSpec } from '../../../../core/config/index.ts';
import { isDnsLabel } from '../../../../core/model/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { later, refused } from '../refused.ts';
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

/** Istio's Sidecar. */
export const sidecarSchema = fields({
  workloadSelector: fields({ labels: labels.default({}) }).optional(),
  egress: z.array(egress).min(1, { error: 'must hold a listener; leave it out for everything' }).optional(),
  outboundTrafficPolicy: fields({
    mode: oneOf('REGISTRY_ONLY', 'ALLOW_ANY').default('REGISTRY_ONLY'),
    egressProxy: later('the way out through an egress gateway'),
  }).optional(),
  ingress: refused('what a workload serves is said where it registers: its Registry, or the file of its agent'),
  inboundConnectionPool: later('bounds for inbound connections'),
});

export function toSidecar(spec: z.output<typeof sidecarSchema>): SidecarSpec {
  const { egress: listeners, outboundTrafficPolicy: policy } = spec;
  return {
    workloadSelector: spec.workloadSelector?.labels ?? {},
    ...(listeners === undefined ? {} : { egressHosts: listeners.flatMap((each) => each.hosts) }),
    ...(policy === undefined ? {} : { outboundTraffic: policy.mode === 'ALLOW_ANY' ? 'allow-any' : 'registry-only' }),
  };
}
