import { z } from 'zod';
import { didYouMean } from '../../../../core/yaml/index.ts';

import { duration } from '../fields.ts';

/** `1%` or 0.01, as a number; `most` bounds it. */
function shareUpTo(most: number, examples: string) {
  const bounds = `must be a share such as ${examples}, above 0 and at most ${most}`;
  return z.union([z.number(), z.string()], { error: ({ input }) => (input === undefined ? undefined : bounds) }).transform((said, ctx) => {
    const value = typeof said === 'number' ? said : percentOf(said);
    if (value !== undefined && value > 0 && value <= most) return value;
    const meant = typeof said === 'number' && said > most && said <= 100 * most ? `; did you mean ${said}%?` : '';
    ctx.addIssue({ code: 'custom', message: `${bounds}${meant}` });
    return z.NEVER;
  });
}

/** Divided as decimal digits, so that 7 % is 0.07 and not 0.07000000000000001. */
function percentOf(text: string): number | undefined {
  const match = /^([0-9]{1,6}(?:\.[0-9]{1,6})?)%$/.exec(text);
  return match === null ? undefined : Number(`${match[1]}e-2`);
}

/** Of requests that may fail, and the like. */
export const share = shareUpTo(1, '1% or 0.01');
/** Of a capacity, which may be passed. */
export const load = shareUpTo(100, '80% or 0.8');

/** Percent in tenths, as proxies count. */
export const tenths = z
  .number({
    error: ({ input }) => (typeof input === 'string' ? 'must be a number of percent, such as 25 or 0.5, without quotes and %' : undefined),
  })
  .superRefine((value, ctx) => {
    const whole = Math.round(value * 10);
    if (value > 0 && value <= 100 && Math.abs(value * 10 - whole) < 1e-9) return;
    ctx.addIssue({ code: 'custom', message: `must be above 0, at most 100 and a multiple of 0.1, not ${value}` });
  });

/** As `duration`, within bounds that are said as people write them. */
export function durationWithin(least: readonly [ms: number, text: string], most: readonly [ms: number, text: string]) {
  return duration.superRefine((ms, ctx) => {
    if (ms < least[0] || ms > most[0]) ctx.addIssue({ code: 'custom', message: `must be between ${least[1]} and ${most[1]}` });
  });
}

const day = 86_400_000;
/** Of waiting: 0 is at once. */
export const wait = durationWithin([0, '0'], [30 * day, '30d']);

export const action = ['hold', 'rollback'] as const;

/** Where tokens lie that a Migration may name: whoever writes one would otherwise have any file of the control plane sent to an address of theirs. */
const tokenFolder = 'migration-tokens';

export const tokenFile = z.string().refine((path) => path.startsWith('/') && inTokenFolder(path), {
  error: `must be an absolute path to a file in a folder that is named ${tokenFolder}, on the machine of the control plane, such as /etc/isthmus/${tokenFolder}/prometheus`,
});

function inTokenFolder(path: string): boolean {
  const parts = path.split('/').slice(1);
  return parts.length >= 2 && parts.at(-2) === tokenFolder && parts.every((part) => part !== '' && part !== '.' && part !== '..');
}

export const caFile = z
  .string()
  .refine((path) => path.startsWith('/'), { error: 'must be an absolute path, on the machine of the control plane' });

const placeholders = ['$service', '$namespace', '$weight', '$interval'];

/** PromQL. What looks like a placeholder and is none would be asked for as it is, and answered with nothing. */
export const query = z
  .string()
  .trim()
  .min(1, { error: 'must be a query' })
  .max(4096, { error: 'must be at most 4096 characters' })
  .superRefine((text, ctx) => {
    const named = text.match(/\$\{?[A-Za-z_][A-Za-z0-9_]*\}?/g) ?? [];
    for (const each of new Set(named.filter((name) => !placeholders.includes(name)))) {
      const message = `${each} stands for nothing${didYouMean(each, placeholders) || `; known are ${placeholders.join(', ')}`}`;
      ctx.addIssue({ code: 'custom', message });
    }
  });
