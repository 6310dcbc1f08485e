import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { isDnsLabel } from '../../core/model/index.ts';
import { noSelectors, overlaps } from './selectors.ts';

/** The name of the identity that the agent joined with. */
export const ownName = 'default';

const id = z.number().int().min(0).max(0xffff_fffe);

const selectors = z.strictObject({
  /** User ids. */
  uid: z.array(id).max(64).default([]),
  /** Group ids, supplementary groups included. */
  gid: z.array(id).max(64).default([]),
  /** Files of programs; with it there must be a user or a group, since whoever runs a program may be anybody. */
  path: z.array(z.string().refine(isAbsolute, 'must be an absolute path')).max(64).default([]),
  /** SHA-256 of such a file, lower-case hex. */
  sha256: z
    .array(z.string().regex(/^[0-9a-f]{64}$/, 'must be SHA-256 in lower-case hex'))
    .max(64)
    .default([]),
});

/** Identities of this machine beside the agent's own. `default` says whose the agent's own is. `service`: the schema of one service. */
export function identitiesOption<Service extends z.ZodType>(service: Service) {
  const identity = z
    .strictObject({
      name: z.string().refine((text) => isDnsLabel(text), 'must be a DNS label: a-z, 0-9 and -, at most 63'),
      /** From `isthmus vm token`; not for `default`. */
      token: z.string().min(1).optional(),
      /** Default: everybody's. */
      selectors: selectors.default(noSelectors as z.output<typeof selectors>),
      /** Told to programs that ask for their SVID. Default: the name. */
      hint: z.string().max(256).optional(),
      /** Services of this machine that are served as this identity; those of the agent's own stand in the agent's `services`. */
      services: z.array(service).max(64).default([]),
    })
    .refine(({ name, token }) => (name === ownName) === (token === undefined), `must have a token, and ${ownName} must have none`)
    .refine(({ name, services }) => name !== ownName || services.length === 0, `${ownName} has its services in the agent's own`)
    .refine(
      ({ selectors: { path, sha256, uid, gid } }) => path.length + sha256.length === 0 || uid.length + gid.length > 0,
      'a path or a digest needs a uid or gid beside it: anybody may run that program',
    );
  return z
    .array(identity)
    .max(32)
    .default([])
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'two of them have the same name')
    .superRefine((all, context) => {
      for (const [one, other] of overlaps(all)) {
        context.addIssue({
          code: 'custom',
          message: `${one} and ${other} have the same selectors for somebody: nobody could say which is meant`,
        });
      }
    });
}
