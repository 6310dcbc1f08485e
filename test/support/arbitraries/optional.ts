import fc from 'fast-check';

type Model = Readonly<Record<string, fc.Arbitrary<unknown>>>;
type Values<M extends Model> = { [K in keyof M]: M[K] extends fc.Arbitrary<infer T> ? T : never };

/** All of these fields, in objects as literals make them. */
export function allOf<M extends Model>(model: M): fc.Arbitrary<Values<M>> {
  return fc.record(model, { noNullPrototype: true }) as unknown as fc.Arbitrary<Values<M>>;
}

/** All of `required`, and of `optional` each field or not. */
export function someOf<R extends Model, O extends Model>(required: R, optional: O): fc.Arbitrary<Values<R> & Partial<Values<O>>> {
  const options = { requiredKeys: Object.keys(required), noNullPrototype: true } as const;
  return fc.record({ ...required, ...optional }, options) as unknown as fc.Arbitrary<Values<R> & Partial<Values<O>>>;
}
