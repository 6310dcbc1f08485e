import { type Static, Type } from 'typebox';

const text = (most: number) => Type.String({ maxLength: most });

/** One request that an explanation is to be of. What is left out is not known. */
export const ExplainedRequest = Type.Object(
  {
    method: Type.Optional(text(64)),
    /** With or without its query. */
    path: Type.Optional(text(8_192)),
    host: Type.Optional(text(512)),
    /** Names in lower case. */
    headers: Type.Optional(Type.Record(text(256), text(8_192))),
    /** Of a token, which is taken as one that holds; absent: it brings none. */
    claims: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    /** Of the caller, as the end of mTLS sees it. */
    sourceIp: Type.Optional(text(64)),
  },
  { additionalProperties: false },
);
export type ExplainedRequest = Static<typeof ExplainedRequest>;
