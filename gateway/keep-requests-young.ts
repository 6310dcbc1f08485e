import { AsyncResource } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';

type Bind = typeof AsyncResource.prototype.bind;

/**
 * For the whole process: what a request is made of is to die with it, in a young collection. Two things keep it until a full one,
 * which holds everybody up; docs/decisions/http-cost.md has what they cost. Idempotent.
 *
 * Under a load that queues up for a moment V8 decides that such objects live long, and from then on makes them among the old ones.
 *
 * And Node's HTTP/2 client binds a function for each request to an AsyncResource, which gives it the deprecated property
 * `asyncResource` (DEP0172) by a function with a prototype of its own: V8 makes a map for that, among the old objects, and through
 * it the whole stream is held. Here bound functions do not have that property; all else is as before.
 */
export function keepRequestsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
  AsyncResource.prototype.bind = bind;
}

const bind = function (this: AsyncResource, fn: (...args: unknown[]) => unknown, thisArg?: unknown) {
  const resource = this;
  if (typeof fn !== 'function') throw new TypeError('The "fn" argument must be of type function');
  return function (this: unknown, ...args: unknown[]): unknown {
    return resource.runInAsyncScope(fn, thisArg === undefined ? this : thisArg, ...args);
  };
} as Bind;
