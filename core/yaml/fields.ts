import { z } from 'zod';
import { didYouMean } from './did-you-mean.ts';

/** An object whose unknown fields are mistakes. The message has one line for each, in the order of the issue's `keys`. */
export function fields<S extends z.ZodRawShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `unknown field${didYouMean(key, known) || `; known are ${known.join(', ')}`}`).join('\n')
        : undefined,
  });
}

export function oneOf<const V extends readonly [string, ...string[]]>(...values: V) {
  return z.enum(values, {
    error: (issue) => {
      if (issue.input === undefined) return undefined;
      return `${JSON.stringify(issue.input)} is none of ${values.join(', ')}${didYouMean(String(issue.input), values)}`;
    },
  });
}
