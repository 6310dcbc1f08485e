import type { Server } from 'node:https';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { ApiError } from '../../core/admin/index.ts';
import type { Role } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { type Caller, type Grants, grantsOf } from './access.ts';
import { ApiRefusal, toErrorReply } from './api-errors.ts';
import type { Authenticator } from './authenticate.ts';
import type { Changed, Difference } from './changed.ts';
import type { AdminServerOptions } from './options.ts';
import type { RateLimiter } from './rate-limit.ts';
import type { Call, Route } from './route.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needed somewhere at least; where exactly is decided once the request has been validated. */
    role?: Role;
  }
}

export interface Gate extends AdminServerOptions {
  readonly authenticator: Authenticator;
  readonly calls: RateLimiter;
}

interface Admitted {
  readonly caller: Caller;
  readonly grants: Grants;
}

/** Adds the routes behind the gate: rate, who, role, schema, role in the namespace, and the audit log for what changes. */
export function register(app: FastifyInstance<Server>, routes: readonly Route[], gate: Gate): void {
  const admitted = new WeakMap<FastifyRequest, Admitted>();
  app.addHook('onRoute', refuseOpenRoutes);
  app.addHook('onRequest', async (request) => {
    if (!gate.calls.take(request.socket.remoteAddress ?? ''))
      throw new ApiRefusal(429, 'LIMIT_EXCEEDED', 'too many calls from this address: slow down');
    const caller = await gate.authenticator.authenticate(request);
    const grants = grantsOf(caller, gate.policies());
    const { role } = request.routeOptions.config;
    if (role !== undefined && !grants.hasAnywhere(role)) {
      await auditRefusal(gate, request, caller);
      throw needs(caller, role, 'any namespace');
    }
    admitted.set(request, { caller, grants });
  });
  app.addHook('onResponse', async (request, reply) => {
    gate.metrics.apiRequests.inc({ route: request.routeOptions.url ?? 'unknown', code: String(reply.statusCode) });
  });
  app.setErrorHandler((error, request, reply) => sendError(gate, error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendError(
      gate,
      new MeshError('NOT_FOUND', `${request.method} ${request.url.split('?')[0]} is not a route of this API`),
      request,
      reply,
    ),
  );
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path,
      config: { role: route.role },
      ...(route.bodyBytes === undefined ? {} : { bodyLimit: route.bodyBytes }),
      schema: {
        querystring: route.query,
        params: route.params,
        ...(route.method === 'POST' ? { body: route.body } : {}),
        response: { 200: route.reply, '4xx': ApiError, '5xx': ApiError },
      },
      handler: async (request) => {
        const who = admitted.get(request);
        if (who === undefined) throw new MeshError('INTERNAL', 'a request came past the gate');
        return handle(gate, route, request, who);
      },
    });
  }
}

/** So that nobody can add a route that is open by oversight. */
function refuseOpenRoutes(route: RouteOptions): void {
  const { schema, config } = route;
  // Fastify adds HEAD beside each GET, with the GET's own options.
  const complete = schema?.querystring !== undefined && schema.params !== undefined && schema.response !== undefined;
  const takesBody = [route.method].flat().includes('POST');
  if (config?.role === undefined || !complete || (takesBody && schema?.body === undefined)) {
    throw new MeshError('INTERNAL', `route ${String(route.method)} ${route.url} has no role or no schema`);
  }
}

async function handle(gate: Gate, route: Route, request: FastifyRequest, { caller, grants }: Admitted): Promise<unknown> {
  const call: Call<unknown, unknown, unknown> = { query: request.query, params: request.params, body: request.body, caller, grants };
  const role = (await route.stronger?.(call, gate.api)) ?? route.role;
  for (const namespace of await namespacesOf(gate, route, call)) {
    if (grants.has(role, namespace)) continue;
    await auditRefusal(gate, request, caller, route);
    throw needs(caller, role, namespace === '*' ? 'the whole mesh (a policy on *)' : `namespace ${namespace}`);
  }
  if (!route.changes) return route.run(gate.api, call);
  await gate.audit.ready();
  let changed: Changed<unknown>;
  try {
    changed = (await route.run(gate.api, call)) as Changed<unknown>;
  } catch (error) {
    await audit(gate, request, caller, [], error instanceof MeshError || error instanceof ApiRefusal ? error.code : 'INTERNAL', route);
    throw error;
  }
  await audit(gate, request, caller, changed.diff, 'done', route);
  return changed.value;
}

/** Where the role is needed. */
async function namespacesOf(gate: Gate, { scope }: Route, call: Call<unknown, unknown, unknown>): Promise<readonly string[]> {
  if (scope === 'some') return [];
  const said = scope === 'mesh' ? undefined : await scope(call, gate.api);
  return typeof said === 'string' || said === undefined ? [said ?? '*'] : said;
}

function needs(caller: Caller, role: Role, where: string): ApiRefusal {
  return new ApiRefusal(403, 'PERMISSION_DENIED', `${caller.subject} needs role ${role} in ${where}: an AccessPolicy must grant it`);
}

/** Without `route` the body has not been validated, and does not count. */
async function auditRefusal(gate: Gate, request: FastifyRequest, caller: Caller, route?: Route): Promise<void> {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  await audit(gate, request, caller, [], 'refused', route);
}

async function audit(
  gate: Gate,
  request: FastifyRequest,
  caller: Caller,
  diff: readonly Difference[],
  result: string,
  route: Route | undefined,
): Promise<void> {
  const { url = request.url } = request.routeOptions;
  try {
    await gate.audit.append({
      time: new Date(gate.clock.now()).toISOString(),
      who: caller.subject,
      from: request.socket.remoteAddress ?? '',
      what: `${request.method} ${url}`,
      request: { params: request.params, body: route?.auditBody === undefined ? request.body : route.auditBody(request.body) },
      diff,
      result,
    });
  } catch (error) {
    gate.metrics.auditFailures.inc();
    if (result !== 'done') throw error;
    throw new MeshError(
      'STORE_UNAVAILABLE',
      'the change was made, but could not be written to the audit log; nothing more can be changed until it can',
      {
        cause: error,
      },
    );
  }
}

function sendError(gate: Gate, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, body } = toErrorReply(error);
  if (status >= 500) gate.log.error({ error, route: request.routeOptions.url ?? '' }, 'a call of the admin API failed');
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="isthmus"');
  return reply.status(status).send(body);
}
