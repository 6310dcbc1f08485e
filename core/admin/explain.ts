import { type Static, Type } from 'typebox';
import { list } from './common.ts';

/** One decision on the way from SRC to DST, in order; the first `failed` one is why it does not work. */
const ExplainStep = Type.Object({
  /** name, service, endpoints, network, gateway, identity, rule */
  stage: Type.String(),
  outcome: Type.Union([Type.Literal('ok'), Type.Literal('warning'), Type.Literal('failed')]),
  /** What was decided. */
  text: Type.String(),
  /** Why, one fact a line. */
  details: list(Type.String()),
});
export type ExplainStep = Static<typeof ExplainStep>;

export const Explanation = Type.Object({
  src: Type.String(),
  dst: Type.String(),
  verdict: Type.Union([Type.Literal('allowed'), Type.Literal('denied'), Type.Literal('unreachable'), Type.Literal('unknown')]),
  summary: Type.String(),
  steps: list(ExplainStep),
});
export type Explanation = Static<typeof Explanation>;
