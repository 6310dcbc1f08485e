/**
 * Whether something holds; undefined: that cannot be told, as something that it asks for is not known. What decides on it must not let
 * anybody in by what may not hold, nor spare anybody from what may.
 */
export type Truth = boolean | undefined;

export function everyTrue<T>(of: readonly T[], test: (each: T) => Truth): Truth {
  let open = false;
  for (const each of of) {
    const truth = test(each);
    if (truth === false) return false;
    if (truth === undefined) open = true;
  }
  return open ? undefined : true;
}

export function someTrue<T>(of: readonly T[], test: (each: T) => Truth): Truth {
  let open = false;
  for (const each of of) {
    const truth = test(each);
    if (truth === true) return true;
    if (truth === undefined) open = true;
  }
  return open ? undefined : false;
}

export function notTrue(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}
