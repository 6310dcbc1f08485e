import { z } from 'zod';
import { MeshError } from '../../core/errors.ts';

/** What Isthmus reads of Consul's answers (HTTP API v1, Consul 1.11 and later); the rest is ignored. Consul says null for empty. */

const strings = z.record(z.string(), z.string()).nullish();
const tagged = z.record(z.string(), z.object({ Address: z.string(), Port: z.number().nullish() })).nullish();
const place = z.object({ Region: z.string().nullish(), Zone: z.string().nullish() }).nullish();

const healthEntry = z.object({
  Node: z.object({ Node: z.string(), Address: z.string(), Meta: strings, Locality: place }),
  Service: z.object({
    ID: z.string(),
    Service: z.string(),
    Kind: z.string().nullish(),
    Tags: z.array(z.string()).nullish(),
    Address: z.string().nullish(),
    TaggedAddresses: tagged,
    Meta: strings,
    Port: z.number(),
    Weights: z.object({ Passing: z.number(), Warning: z.number() }).nullish(),
    Namespace: z.string().nullish(),
    Locality: place,
    CreateIndex: z.number().nullish(),
  }),
  Checks: z.array(z.object({ CheckID: z.string(), Status: z.string(), Notes: z.string().nullish() })).nullish(),
});

const nodeServices = z
  .object({
    Services: z
      .record(
        z.string(),
        z.object({
          ID: z.string(),
          Service: z.string(),
          Tags: z.array(z.string()).nullish(),
          Address: z.string().nullish(),
          Port: z.number(),
          Meta: strings,
        }),
      )
      .nullish(),
    Node: z.object({ Address: z.string(), Meta: strings }).nullish(),
  })
  .nullable();

const catalogEntry = z.object({ Node: z.string(), ServiceID: z.string(), ServiceMeta: strings, CreateIndex: z.number() });

const agentSelf = z.object({ Config: z.object({ NodeName: z.string() }) });

export type HealthEntry = z.infer<typeof healthEntry>;
export type NodeServices = z.infer<typeof nodeServices>;
export type CatalogEntry = z.infer<typeof catalogEntry>;

/** /v1/catalog/services: name → tags of all its instances. */
export const parseServiceList = parser('/v1/catalog/services', z.record(z.string(), z.array(z.string()).nullable()));
/** /v1/health/service/NAME */
export const parseHealth = parser('/v1/health/service', z.array(healthEntry));
/** /v1/catalog/node/NAME; null where there is no such node. */
export const parseNodeServices = parser('/v1/catalog/node', nodeServices);
/** /v1/catalog/service/NAME */
export const parseCatalogService = parser('/v1/catalog/service', z.array(catalogEntry));

/** /v1/agent/self: of the agent that answers. */
export const parseAgentSelf = parser('/v1/agent/self', agentSelf);

function parser<T>(what: string, schema: z.ZodType<T>): (body: unknown) => T {
  return (body) => {
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues.slice(0, 3).map((i) => `${i.path.join('.')}: ${i.message}`);
    const message = `Consul: the answer to ${what} is not what its API says (${where.join('; ')}): check that connection.url is Consul's`;
    throw new MeshError('PROTOCOL_ERROR', message, { retryable: true });
  };
}
