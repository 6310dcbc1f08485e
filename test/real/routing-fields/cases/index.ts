import type { FieldCase } from '../case.ts';
import { answerCases } from './answers.ts';
import { matchCases } from './match.ts';

export const fieldCases: readonly FieldCase[] = [...matchCases, ...answerCases];
