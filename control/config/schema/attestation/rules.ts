import { z } from 'zod';
import { expressionIn, maxExpressionLength, parseClaimsExpression } from '../../../../core/cel/index.ts';
import { isCidr } from '../../../../core/cidr.ts';
import { isDnsLabel, parseSpiffeId } from '../../../../core/model/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, listOf, present, type Written } from '../across.ts';
import { dnsLabel } from '../fields.ts';
import { noted } from '../refused.ts';

const bool = z.string().superRefine((text, ctx) => {
  const parsed = parseClaimsExpression(text, 'bool');
  if (!parsed.ok) for (const { message } of parsed.violations) ctx.addIssue({ code: 'custom', message });
});

/** A text of some form, or `${EXPRESSION}`, which is judged when it has a value. */
function said(held: (text: string) => boolean, form: string) {
  return z
    .string()
    .max(maxExpressionLength + 3, { error: `must be at most ${maxExpressionLength} characters` })
    .superRefine((text, ctx) => {
      const expression = expressionIn(text);
      if (expression !== undefined) {
        const parsed = parseClaimsExpression(expression);
        if (!parsed.ok) for (const { message } of parsed.violations) ctx.addIssue({ code: 'custom', message });
      } else if (text.includes('${')) {
        ctx.addIssue({ code: 'custom', message: `must be ${form}, or one \${EXPRESSION} as a whole: texts are joined inside it, with +` });
      } else if (!held(text)) ctx.addIssue({ code: 'custom', message: `must be ${form}, or \${EXPRESSION}` });
    });
}

const label = said(isDnsLabel, 'a DNS label');
const account = said((text) => parseSpiffeId(`spiffe://td/ns/n/sa/${text}`) !== undefined, 'letters, digits, dots, dashes and underscores');
const group = said((text) => /^[^/]+\/[^/]+$/.test(text) && text.split('/').every(isDnsLabel), 'NAMESPACE/NAME of a WorkloadGroup');
const cidr = said(isCidr, 'an IP or CIDR');
const port = z.union([z.int().min(1).max(65_535), said(() => false, 'a port')], { error: () => `must be 1-65535, or \${EXPRESSION}` });

const service = fields({
  name: noted(
    said((text) => text === '*' || isDnsLabel(text), 'a DNS label or *'),
    '* for every service of the namespace',
  ),
  namespace: noted(label, "default: the grant's").optional(),
  ports: noted(z.array(port).max(64).default([]), 'service ports; default any'),
});

const ofWorkloads = ['namespace', 'serviceAccount', 'group'];

const grant = across(
  fields({
    role: noted(oneOf('workload', 'gateway', 'ingress').default('workload'), 'default workload'),
    namespace: noted(label, "default: the policy's").optional(),
    serviceAccount: account.optional(),
    services: noted(z.array(service).max(64).default([]), 'that it may register; default none, it only calls'),
    addresses: noted(
      z.array(cidr).max(64).default([]),
      'CIDRs of addresses that it may register; default the one that it is seen from, of a gateway any',
    ),
    group: group.optional(),
  }),
  (written, report) => {
    const role = written['role'] ?? 'workload';
    if (role === 'workload' && written['serviceAccount'] === undefined) report(['serviceAccount'], 'is required of a workload');
    if (role !== 'gateway' && role !== 'ingress') return;
    const services = listOf(written['services']).length > 0 ? ['services'] : [];
    for (const name of [...present(written, ofWorkloads), ...services])
      report([name], `means nothing for role ${role}: all of them have one identity`);
  },
);

const rule = fields({
  name: noted(dnsLabel, 'for logs'),
  when: noted(bool, 'CEL over `claims`; a claim that is not there is no match'),
  grant,
});

export const rules = z
  .array(rule)
  .min(1, { error: 'must hold at least one: without a rule nobody is let in' })
  .max(64, { error: 'must be at most 64' });

/** A policy lets in for its own namespace alone, but for those of isthmus-system. */
export function reportRules(
  written: readonly unknown[],
  own: string | undefined,
  report: (path: readonly PropertyKey[], message: string) => void,
): void {
  const seen = new Map<unknown, number>();
  for (const [i, each] of written.entries()) {
    const { name, grant: granted } = (each ?? {}) as { name?: unknown; grant?: Written };
    const first = seen.get(name);
    if (typeof name === 'string' && first !== undefined) report([i, 'name'], `is the name of rules[${first}] too`);
    else seen.set(name, i);
    if (own === undefined || typeof granted !== 'object' || granted === null) continue;
    const only = `must be ${own}: only policies in isthmus-system grant what is of other namespaces`;
    const { role, namespace, services } = granted;
    if (role === 'gateway' || role === 'ingress') report([i, 'grant', 'role'], 'only policies in isthmus-system grant gateways');
    if (isOther(namespace, own)) report([i, 'grant', 'namespace'], only);
    for (const [at, service] of (Array.isArray(services) ? services : []).entries())
      if (isOther((service as Written | null)?.['namespace'], own)) report([i, 'grant', 'services', at, 'namespace'], only);
  }
}

/** What an expression comes to is checked when it does. */
function isOther(value: unknown, own: string): boolean {
  return typeof value === 'string' && value !== own && expressionIn(value) === undefined;
}
