import type { FastifySchemaValidationError } from 'fastify/types/schema.js';
import type { ApiError } from '../../core/admin/index.ts';
import { MeshError, type MeshErrorCode } from '../../core/errors.ts';
import type { Violation } from '../../core/validate.ts';

/** What the API itself refuses, before the control plane is asked. */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly violations: readonly Violation[];

  constructor(status: number, code: string, message: string, violations: readonly Violation[] = []) {
    super(message);
    this.name = 'ApiRefusal';
    this.status = status;
    this.code = code;
    this.violations = violations;
  }
}

const statusOf: Readonly<Record<MeshErrorCode, number>> = {
  ABORTED: 503,
  CONFLICT: 409,
  COMPACTED: 503,
  CONFIG_INVALID: 422,
  DEADLINE_EXCEEDED: 504,
  FENCED: 503,
  IDENTITY_INVALID: 403,
  INTERNAL: 500,
  LIMIT_EXCEEDED: 429,
  NOT_FOUND: 404,
  PEER_UNREACHABLE: 502,
  PERMISSION_DENIED: 403,
  PORT_TAKEN: 409,
  PROTOCOL_ERROR: 502,
  REGISTRY_REFUSED: 502,
  REGISTRY_UNREACHABLE: 502,
  SNAPSHOT_INCONSISTENT: 500,
  STORE_UNAVAILABLE: 503,
  UNSUPPORTED: 501,
  UPSTREAM_UNREACHABLE: 502,
};

export interface ErrorReply {
  readonly status: number;
  readonly body: ApiError;
}

/** Anything thrown, as what the caller may know of it: a bug shows no more than that it is one. */
export function toErrorReply(error: unknown): ErrorReply {
  if (error instanceof ApiRefusal) {
    const { status, code, message, violations } = error;
    return reply(status, code, message, status === 429 || status === 503, violations);
  }
  if (error instanceof MeshError) {
    const message = error.code === 'INTERNAL' ? 'internal error; its cause is in the log of the control plane' : error.message;
    return reply(statusOf[error.code], error.code, message, error.retryable);
  }
  const { validation, validationContext, statusCode } = error as {
    validation?: FastifySchemaValidationError[];
    validationContext?: string;
    statusCode?: number;
  };
  if (validation !== undefined) {
    const violations = withoutBranches(validation).map((v) => ({ path: pathOf(validationContext ?? '', v), message: wordingOf(v) }));
    return reply(
      400,
      'INVALID_INPUT',
      `the request is not valid: ${violations.map((v) => `${v.path} ${v.message}`).join('; ')}`,
      false,
      violations,
    );
  }
  if (statusCode === 413) return reply(413, 'LIMIT_EXCEEDED', 'the request is larger than the API takes', false);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return reply(statusCode, 'INVALID_INPUT', (error as Error).message, false);
  return reply(500, 'INTERNAL', 'internal error; its cause is in the log of the control plane', false);
}

function reply(status: number, code: string, message: string, retryable: boolean, violations: readonly Violation[] = []): ErrorReply {
  return { status, body: { error: { code, message, retryable, ...(violations.length > 0 ? { violations: [...violations] } : {}) } } };
}

/** Of a value that is none of several words the schema refuses each, and then all: what is said is which there are. */
function withoutBranches(all: readonly FastifySchemaValidationError[]): readonly FastifySchemaValidationError[] {
  const unions = all.filter((v) => v.keyword === 'anyOf');
  const within = ({ schemaPath, instancePath, keyword }: FastifySchemaValidationError) =>
    keyword === 'const' && unions.some((u) => u.instancePath === instancePath && schemaPath.startsWith(`${u.schemaPath}/`));
  return all.flatMap((v) => {
    if (within(v)) return [];
    const words = v.keyword === 'anyOf' ? all.filter((w) => within(w) && w.schemaPath.startsWith(`${v.schemaPath}/`)) : [];
    return [
      words.length === 0 ? v : { ...v, message: `must be ${words.map((w) => JSON.stringify(w.params['allowedValue'])).join(' or ')}` },
    ];
  });
}

function pathOf(context: string, violation: FastifySchemaValidationError): string {
  const { missingProperty, additionalProperty } = violation.params as { missingProperty?: string; additionalProperty?: string };
  const below = [violation.instancePath.replace(/^\//, '').replaceAll('/', '.'), missingProperty ?? additionalProperty ?? ''];
  return [context === 'querystring' ? 'query' : context, ...below].filter((part) => part !== '').join('.');
}

function wordingOf(violation: FastifySchemaValidationError): string {
  if (violation.keyword === 'required') return 'is required';
  if (violation.keyword === 'additionalProperties') return 'is not known';
  return violation.message ?? 'is not valid';
}
