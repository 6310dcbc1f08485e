import { z } from 'zod';
import type { ReferenceGrantSpec } from '../../../../core/config/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across } from '../across.ts';
import { dnsLabel } from '../fields.ts';
import { noted } from '../refused.ts';
import { gatewayApiGroup, groupName, mcsGroup, objectName } from './values.ts';

const kindName = z.string().regex(/^[A-Za-z]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?$/, { error: 'must be the name of a kind, such as HTTPRoute' });

const routes = ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute'];
const targets: Readonly<Record<string, string>> = { Service: '', ServiceImport: mcsGroup };

function sameWord(kind: string, written: string): boolean {
  return [kind, `${kind}s`].some((form) => form.toLowerCase() === written.toLowerCase());
}

/** Who may refer is one of our routes; a grant to other controllers is theirs to read, and stands beside. */
const from = across(
  fields({ group: groupName, kind: noted(kindName, `${routes.join(', ')}; others are for other controllers`), namespace: dnsLabel }),
  ({ group, kind }, report) => {
    if (typeof kind === 'string' && routes.includes(kind) && typeof group === 'string' && group !== gatewayApiGroup)
      report(['group'], `must be ${gatewayApiGroup} for kind ${kind}`);
    // Its plural, or in another case, it would grant nothing; other kinds are for other controllers.
    const meant = typeof kind === 'string' && !routes.includes(kind) ? routes.find((r) => sameWord(r, kind)) : undefined;
    if (meant !== undefined && group === gatewayApiGroup) report(['kind'], `${JSON.stringify(kind)} is no kind; did you mean ${meant}?`);
  },
);

const to = across(
  fields({
    group: groupName,
    kind: noted(kindName, 'Service and ServiceImport; others are for other controllers'),
    name: noted(objectName, 'absent: any').optional(),
  }),
  ({ group, kind }, report) => {
    const wanted = typeof kind === 'string' && Object.hasOwn(targets, kind) ? targets[kind] : undefined;
    if (wanted !== undefined && typeof group === 'string' && group !== wanted)
      report(['group'], `must be ${JSON.stringify(wanted)} for kind ${String(kind)}`);
  },
);

/** ReferenceGrant. */
export const referenceGrantSchema = fields({
  from: z.array(from).min(1, { error: 'must name who may refer' }).max(16, { error: 'holds more than 16' }),
  to: z.array(to).min(1, { error: 'must name what may be referred to' }).max(16, { error: 'holds more than 16' }),
});

export function toReferenceGrant(spec: z.output<typeof referenceGrantSchema>): ReferenceGrantSpec {
  return {
    from: spec.from,
    to: spec.to.map(({ group, kind, name }) => ({ group, kind, ...(name === undefined ? {} : { name }) })),
  };
}
