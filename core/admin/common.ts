import { type Static, type TSchema, Type } from 'typebox';

/** Schemas of the admin API: the server validates with them, the CLI gets its types from them. Times are RFC 3339 in UTC, ages in ms. */
export function list<T extends TSchema>(items: T) {
  return Type.Array(items, { maxItems: 100_000 });
}

export const label = Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' });
/** `NAMESPACE/NAME`. */
export const serviceName = Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' });
export const port = Type.Integer({ minimum: 1, maximum: 65_535 });
export const protocol = Type.Union([
  Type.Literal('tcp'),
  Type.Literal('http'),
  Type.Literal('http2'),
  Type.Literal('grpc'),
  Type.Literal('tls'),
]);

/** Body of every reply that is not 2xx. `code` is a MeshErrorCode, or INVALID_INPUT with what is wrong, all at once. */
export const ApiError = Type.Object({
  error: Type.Object({
    code: Type.String(),
    message: Type.String(),
    retryable: Type.Boolean(),
    violations: Type.Optional(
      list(
        Type.Object({
          path: Type.String(),
          message: Type.String(),
          file: Type.Optional(Type.String()),
          line: Type.Optional(Type.Integer()),
        }),
      ),
    ),
  }),
});
export type ApiError = Static<typeof ApiError>;
