import { z } from 'zod';
import { fields, oneOf } from '../../../core/yaml/index.ts';
import { dialAddress, dnsLabel } from './fields.ts';

const namespaceOrAll = z.union([dnsLabel, z.literal('*')], { error: () => 'must be a namespace, or *' });
const someNamespace = z.array(namespaceOrAll).min(1, { error: 'must name at least one namespace; * for all' });

export const peerSchema = fields({
  cluster: dnsLabel,
  namespaces: someNamespace.default(['*']),
  addresses: z.array(dialAddress).default([]),
});

const subject = z.string().regex(/^(spiffe:\/\/[a-zA-Z0-9._/-]+\*?|credential:[a-z0-9]([a-z0-9-]*[a-z0-9])?)$/, {
  error: 'must be a SPIFFE id (a trailing * is allowed) or credential:NAME',
});

export const accessPolicySchema = fields({
  role: oneOf('viewer', 'editor', 'operator', 'admin'),
  namespaces: someNamespace,
  subjects: z.array(subject).min(1, { error: 'must name at least one subject' }),
});
