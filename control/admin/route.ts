import type { Static, TObject, TSchema } from 'typebox';
import type { Role } from '../../core/config/index.ts';
import type { Caller, Grants } from './access.ts';
import type { Changed } from './changed.ts';
import type { ControlApi } from './control-api.ts';

export interface Call<Q, P, B> {
  readonly query: Q;
  readonly params: P;
  readonly body: B;
  readonly caller: Caller;
  readonly grants: Grants;
}

interface Shape<Q extends TObject, P extends TObject, B extends TObject, R extends TSchema> {
  readonly path: string;
  readonly role: Role;
  readonly query: Q;
  readonly params: P;
  readonly body: B;
  readonly reply: R;
}

/**
 * Where the role is needed: `mesh`: everywhere (a policy on `*`); `some`: in any namespace, and the handler leaves out the
 * others; or in the namespace that the call is about, which may have to be looked up. Undefined from the function means `mesh`.
 */
type Scope<Q, P, B> = 'mesh' | 'some' | ((call: Call<Q, P, B>, api: ControlApi) => Where | Promise<Where>);
/** In each of several. */
type Where = string | readonly string[] | undefined;

export interface ReadingRoute<Q extends TObject, P extends TObject, R extends TSchema> extends Omit<Shape<Q, P, TObject, R>, 'body'> {
  readonly scope: Scope<Static<Q>, Static<P>, undefined>;
  read(api: ControlApi, call: Call<Static<Q>, Static<P>, undefined>): Promise<Static<R>>;
}

export interface ChangingRoute<Q extends TObject, P extends TObject, B extends TObject, R extends TSchema> extends Shape<Q, P, B, R> {
  readonly method: 'POST' | 'DELETE';
  /** Most of its body; default: the API's limit. */
  readonly bodyBytes?: number;
  /** What of the body the audit log may have; default: all of it, redacted. */
  readonly auditBody?: (body: unknown) => unknown;
  readonly scope: Scope<Static<Q>, Static<P>, Static<B>>;
  /** The role that this call needs in place of the route's, where what it holds asks for more; undefined: the route's. */
  readonly stronger?: (call: Call<Static<Q>, Static<P>, Static<B>>, api: ControlApi) => Role | undefined | Promise<Role | undefined>;
  change(api: ControlApi, call: Call<Static<Q>, Static<P>, Static<B>>): Promise<Changed<Static<R>>>;
}

/** A route as the server sees it: the schemas have been checked against the handler, and validation stands between them. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly role: Role;
  readonly query: TObject;
  readonly params: TObject;
  readonly body: TObject | undefined;
  readonly reply: TSchema;
  readonly bodyBytes?: number;
  readonly auditBody?: (body: unknown) => unknown;
  readonly scope: Scope<unknown, unknown, unknown>;
  readonly stronger?: (call: Call<unknown, unknown, unknown>, api: ControlApi) => Role | undefined | Promise<Role | undefined>;
  readonly run: (api: ControlApi, call: Call<unknown, unknown, unknown>) => Promise<unknown>;
  /** The call is audited, and `run` resolves with a Changed. */
  readonly changes: boolean;
}

export function reading<Q extends TObject, P extends TObject, R extends TSchema>(route: ReadingRoute<Q, P, R>): Route {
  const { read, ...shape } = route;
  return erase({ ...shape, method: 'GET', body: undefined, run: read, changes: false });
}

/** Asks with a body, and changes nothing: not audited. */
export function asking<Q extends TObject, P extends TObject, B extends TObject, R extends TSchema>(
  route: Omit<ChangingRoute<Q, P, B, R>, 'change' | 'method' | 'auditBody'> & {
    ask(api: ControlApi, call: Call<Static<Q>, Static<P>, Static<B>>): Promise<Static<R>>;
  },
): Route {
  const { ask, ...shape } = route;
  return erase({ ...shape, method: 'POST', run: ask, changes: false });
}

export function changing<Q extends TObject, P extends TObject, B extends TObject, R extends TSchema>(
  route: ChangingRoute<Q, P, B, R>,
): Route {
  const { change, ...shape } = route;
  return erase({ ...shape, run: change, changes: true });
}

/** The one place where a call loses its static type; the server validates by the same schemas before it calls `run`. */
function erase(route: object): Route {
  return route as Route;
}
