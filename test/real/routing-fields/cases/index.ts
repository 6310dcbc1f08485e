import type { FieldCase } from '../case.ts';
import { answerCases } from './answers.ts';
import { balancingCases } from './balancing.ts';
import { healthCases } from './health.ts';
import { localityCases } from './localities.ts';
import { matchCases } from './match.ts';
import { overloadCases } from './overload.ts';
import { retryCases } from './retries.ts';
import { routeCases } from './routes.ts';
import { streamCases } from './streams.ts';

export const fieldCases: readonly FieldCase[] = [
  ...matchCases,
  ...answerCases,
  ...routeCases,
  ...retryCases,
  ...balancingCases,
  ...localityCases,
  ...overloadCases,
  ...healthCases,
  ...streamCases,
];
