import { z } from 'zod';
import { isCidr } from '../../../../core/cidr.ts';
import type { AttestationPolicySpec } from '../../../../core/config/index.ts';
import { systemNamespace } from '../../../../core/model/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { listOf, type Written } from '../across.ts';
import { defined } from '../defined.ts';
import { noted } from '../refused.ts';
import { attestor, toAttestor } from './attestors.ts';
import { reportRules, rules } from './rules.ts';

const source = z.string().refine(isCidr, { error: 'must be an IP or CIDR' });

export const attestationPolicySchema = fields({
  attestor,
  sources: noted(z.array(source).max(64).default([]), 'where requests may come from; default anywhere'),
  rules: noted(rules, 'the first that matches decides'),
});

/** What depends on where the policy is, and on several rules. Paths are below the spec. */
export function rulesOfPlace(raw: unknown, { namespace }: { readonly namespace: string }): z.core.$ZodIssue[] {
  const issues: z.core.$ZodIssue[] = [];
  const own = namespace === systemNamespace ? undefined : namespace;
  reportRules(listOf((raw as Written | null)?.['rules']), own, (path, message) =>
    issues.push({ code: 'custom', path: ['rules', ...path], message, input: raw }),
  );
  return issues;
}

export function toAttestationPolicy(spec: z.output<typeof attestationPolicySchema>): AttestationPolicySpec {
  return {
    attestor: toAttestor(spec.attestor),
    sources: spec.sources,
    rules: spec.rules.map(({ name, when, grant }) => ({
      name,
      when,
      grant: defined({ ...grant, services: grant.services.map(defined) }),
    })),
  };
}
