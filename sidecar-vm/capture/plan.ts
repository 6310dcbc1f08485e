import { z } from 'zod';
import { accept, type Checked, reject } from '../../core/validate.ts';
import { canonicalCidr, holds } from './cidr.ts';

const port = z.number('must be a port').int('must be a port').min(1, 'must be 1-65535').max(65_535, 'must be 1-65535');
const uid = z.number('must be a user id').int('must be a user id').min(0, 'must be a user id').max(4_294_967_294, 'must be a user id');
const cidr = z
  .string()
  .regex(/^[0-9.]+(\/[0-9]{1,2})?$/, 'must be an IPv4 CIDR: connections over IPv6 are left alone')
  .transform((text) => (text.includes('/') ? text : `${text}/32`))
  .pipe(z.cidrv4('must be an IPv4 CIDR'))
  .transform(canonicalCidr);

const schema = z
  .strictObject({
    /** The agent's port of 127.0.0.1. */
    port,
    /** The agent's own user, whose connections are never led anywhere. */
    agentUid: uid,
    /** IPv4 destinations that are led to the agent while it lives, beside 127.64.0.0/10, which always is. */
    cidrs: z.array(cidr).max(1_024).default([]),
    excludeCidrs: z.array(cidr).max(1_024).default([]),
    /** Destination ports that are not, besides 22. */
    excludePorts: z.array(port).max(1_024).default([]),
    /** Users whose connections to `cidrs` are led; empty: all. */
    includeUids: z.array(uid).max(1_024).default([]),
    excludeUids: z.array(uid).max(1_024).default([]),
    /** Ports of this machine whose connections from elsewhere go to another port of it. */
    inbound: z
      .array(z.strictObject({ port, to: port }))
      .max(64)
      .default([]),
  })
  .superRefine(({ cidrs, excludeUids, includeUids, inbound, agentUid }, context) => {
    const say = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (includeUids.some((each) => excludeUids.includes(each))) say('includeUids', 'a user is included and excluded');
    if (includeUids.includes(agentUid))
      say('includeUids', "the agent's own user cannot be captured: its connections would come back to it");
    if (cidrs.some((each) => holds(loopback, each))) say('cidrs', 'loopback addresses cannot be captured; 127.64.0.0/10 always is');
    if (new Set(inbound.map((each) => each.port)).size !== inbound.length) say('inbound', 'a port is there twice');
    if (inbound.some((each) => each.port === 22)) say('inbound', 'port 22 is not captured: it would lock you out');
    if (inbound.some((each) => each.port === each.to)) say('inbound', 'a port leads to itself');
  });

/** What the packet filter does. Made once, by root, and kept for the next boot. */
export type CapturePlan = z.output<typeof schema>;
export type CapturePlanInput = z.input<typeof schema>;

const loopback = '127.0.0.0/8';

/** Everything that is wrong at once. */
export function parseCapturePlan(input: unknown): Checked<CapturePlan> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return accept(parsed.data);
  return reject(parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })));
}
